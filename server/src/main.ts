import { once } from 'node:events'
import { LabError } from '@community-lab/contract'
import { pino } from 'pino'
import { readServerConfiguration } from './config.ts'
import { createLogOutput, reportFailure } from '@community-lab/contract/host'
import { startServer } from './server.ts'

/** Run the server until SIGTERM or SIGINT. The environment has its settings (`config.ts`). */
async function main(): Promise<number> {
  const configuration = readServerConfiguration(process.env)
  // PostgreSQL refuses to run as root, and nothing here needs root. The gateway does what needs it.
  if (process.getuid?.() === 0)
    throw new LabError('LAB_REFUSES_ROOT', { what: 'the testbed server' })
  const name = 'server'
  const redact = ['req.headers.authorization', 'headers.authorization', '*.token', '*.secret']
  const logger = pino({ name, level: configuration.logLevel, redact }, createLogOutput({ name }))
  const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  await using server = await startServer(configuration, logger)
  logger.info({ socket: configuration.socket, port: server.port }, 'ready')
  const reason = await Promise.race([asked.then(() => null), server.lost])
  if (reason !== null) logger.fatal({ reason }, 'cannot go on')
  else logger.info('stopping')
  return reason === null ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  reportFailure('community-lab server', error)
}
