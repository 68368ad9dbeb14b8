import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from '@community-lab/contract'
import type { LogFile } from '../process/log-file.ts'
import { supervise, type Supervised } from '../process/supervised.ts'
import { babeldArguments, type Router } from './babel.ts'
import { runScript, systemPath } from './namespace.ts'
import { nodeName, serverCommunityAddress, type Topology } from './topology.ts'

/** Options of {@link superviseRouter}. */
export interface RouterOptions {
  /** The owner of the router, such as `n1`. */
  readonly name: string
  readonly router: Router
  readonly log: LogFile
  /** The folder in the pod for its files. */
  readonly dir: string
  /** Wraps the argv, so that the router runs on its node. */
  readonly inside?: (argv: readonly string[]) => readonly string[]
}

/** Supervise a babeld. It is not started yet. */
export function superviseRouter(options: RouterOptions): Supervised {
  mkdirSync(options.dir, { recursive: true })
  const configuration = join(options.dir, `${options.name}.conf`)
  const state = join(options.dir, `${options.name}.state`)
  const socket = routerSocket(options.dir, options.name)
  writeFileSync(configuration, `local-path ${socket}\n${options.router.configuration}`)
  const argv = ['babeld', ...babeldArguments(options.router, { configuration, state })]
  const { inside } = options
  return supervise({
    name: `the router of ${options.name}`,
    log: options.log,
    command() {
      // babeld does not start where a killed one has left its socket.
      rmSync(socket, { force: true })
      return { argv: inside === undefined ? argv : inside(argv), env: { PATH: systemPath } }
    },
    ...(inside === undefined ? {} : { wrapped: 'nsenter' as const }),
  })
}

/** Return the path of a router's socket for readers. */
export function routerSocket(dir: string, name: string): string {
  return join(dir, `${name}.sock`)
}

/**
 * Wait until every node has a route to the server.
 *
 * @throws {@link LabError} LAB_TIMEOUT.
 */
export async function waitForRoutes(
  topology: Topology,
  signal: AbortSignal,
  timeoutMs = 20_000,
): Promise<void> {
  const start = performance.now()
  for (const n of topology.nodes) {
    const commands = [['ip', '-6', 'route', 'show', `${serverCommunityAddress}/128`]]
    while ((await runScript({ namespace: nodeName(n), commands }, { signal })).trim() === '') {
      const waitedMs = Math.round(performance.now() - start)
      if (waitedMs > timeoutMs)
        throw new LabError('LAB_TIMEOUT', { what: `a route from n${n} to the server`, waitedMs })
      await delay(50, undefined, { signal })
    }
  }
}
