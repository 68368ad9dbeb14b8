import { LabError } from '@community-lab/contract'
import { pino } from 'pino'
import { runAgent } from './agent.ts'
import { readAgentConfiguration } from './config.ts'
import { ownerHelp, runOwnerCommand } from './owner/command.ts'
import { createLogOutput, reportFailure } from '@community-lab/contract/host'

/**
 * Run the agent until SIGTERM or SIGINT, or the command of the node's owner. The settings are environment variables (`config.ts`).
 *
 * @throws {@link LabError} LAB_CLI_USAGE for words that are no command.
 */
async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2)
  const write = (text: string): void => void process.stdout.write(text)
  // Help needs no settings: who asks for it may not know them yet.
  if (command !== undefined && [command, ...args].some((word) => ['--help', '-h'].includes(word))) {
    write(ownerHelp)
    return
  }
  const configuration = readAgentConfiguration(process.env)
  if (command === 'owner') {
    await runOwnerCommand({ args, dataDir: configuration.dataDir, write })
    return
  }
  if (command !== undefined) {
    const problem = `${JSON.stringify(command)} is no command; there is \`owner\`, and without a command the agent runs`
    throw new LabError('LAB_CLI_USAGE', { problem })
  }
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
