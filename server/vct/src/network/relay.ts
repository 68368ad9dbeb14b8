import type { LogFile } from '../process/log-file.ts'
import { ownProgram } from '../process/own-program.ts'
import { supervise, type Supervised } from '../process/supervised.ts'
import { relayNamespace } from './commands.ts'
import { inNamespace, systemPath } from './namespace.ts'
import type { Topology } from './topology.ts'

/** Options of {@link superviseRelay}. */
export interface RelayOptions {
  readonly topology: Topology
  /** The Node.js binary. */
  readonly node: string
  readonly log: LogFile
}

/** Supervise the relay, which delays the packets of all links where the kernel cannot. It is not started yet. */
export function superviseRelay({ topology, node, log }: RelayOptions): Supervised {
  const main = ownProgram(import.meta.filename, 'relay-main')
  return supervise({
    name: 'the relay',
    log,
    readyLine: 'ready',
    command: () => ({
      argv: inNamespace(relayNamespace, [node, main, `${topology.nodes.length}`]),
      env: { PATH: systemPath },
    }),
  })
}
