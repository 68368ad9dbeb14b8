import process from 'node:process'
import { pino } from 'pino'
import { createLogOutput, reportFailure } from '@community-lab/contract/host'
import { readGatewayConfiguration } from './config.ts'
import { startGateway, type Gateway } from './gateway.ts'
import { serveGateway } from './socket.ts'

const name = 'gateway'
const log = pino({ name, level: 'info' }, createLogOutput({ name }))

/**
 * The process of the gateway. It does everything of the server that needs privileges, and nothing else: it runs tincd with the folder that the unprivileged
 * server writes, and reports over a Unix socket what happens in the management network.
 */
async function main(): Promise<void> {
  process.umask(0o077)
  const configuration = readGatewayConfiguration(process.env)
  const started = Promise.withResolvers<Gateway>()
  // Open the socket first. This fails when another gateway is alive, whose tincd must not be stopped as a leftover.
  const served = await serveGateway({
    socket: configuration.socket,
    ownerUid: configuration.ownerUid,
    answer: async (request) => {
      const gateway = await started.promise
      const status =
        request.do === 'reload' ? await gateway.reload(request.hosts) : gateway.status()
      return { answer: request.do, ok: true, status }
    },
  })
  const stop = async (): Promise<void> => {
    await served.stop()
    await (await started.promise).stop()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'gateway stops')
      stop().catch(fail)
    })
  }
  try {
    const gateway = await startGateway({ configuration, log, onEvent: served.publish })
    started.resolve(gateway)
    log.info({ socket: configuration.socket, ...gateway.status() }, 'gateway serves')
  } catch (error) {
    started.reject(error)
    await served.stop()
    throw error
  }
}

function fail(error: unknown): void {
  reportFailure('community-lab gateway', error)
}

main().catch(fail)
