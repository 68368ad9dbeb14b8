import { pino } from 'pino'
import { runAgent } from './agent.ts'
import { readAgentConfiguration } from './config.ts'
import { createLogOutput, reportFailure } from '@community-lab/contract/host'

/** Run the agent until SIGTERM or SIGINT. The settings are environment variables (`config.ts`). */
async function main(): Promise<void> {
  const configuration = readAgentConfiguration(process.env)
  const name = 'agent'
  const redact = ['*.token', '*.secret', 'enrollmentToken']
  const log = pino({ name, level: configuration.logLevel, redact }, createLogOutput({ name }))
  const asked = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info({ signal: name }, 'stopping; slivers run on')
      asked.abort()
    })
  try {
    await runAgent({ configuration, log, signal: asked.signal })
  } catch (error) {
    if (!asked.signal.aborted) throw error
    log.debug({ err: error }, 'stopped while it began')
  }
}

try {
  await main()
} catch (error) {
  reportFailure('community-lab agent', error)
}
