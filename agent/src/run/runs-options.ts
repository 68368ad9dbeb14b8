import type { ServerClock } from '../clock/node-clock.ts'
import type { Clock } from '../loop/clock.ts'
import type { Log } from '../loop/log.ts'
import type { LineChecks, SliverStreams, Spool } from '../measurement/measurement.ts'
import type { NodeProblems } from '../report/problems.ts'
import type { Slivers } from '../sliver/slivers.ts'

/** Options of the runs of a node. */
export interface RunsOptions {
  /** The folder of the runs, for them alone. */
  readonly dir: string
  readonly slivers: Pick<Slivers, 'list' | 'prepareProgram' | 'useFiles'>
  readonly spool: Spool
  /** See {@link SliverStreams.appendAfter}. */
  readonly appendAfter: SliverStreams['appendAfter']
  /** Return the folder that a sliver sees as `/run/community-lab`. */
  readonly measureDir: (sliverId: string) => string
  /** Gets what the runs declare of their lines. */
  readonly checks: LineChecks
  readonly problems: NodeProblems
  readonly clock: Clock
  /** The time by the node's wall clock, in milliseconds since the epoch. */
  readonly dateMs: () => number
  /** What is known of the server's time. */
  readonly serverClock: ServerClock
  readonly log: Log
  /** Called when what is to be reported has changed. */
  readonly onChange: () => void
}
