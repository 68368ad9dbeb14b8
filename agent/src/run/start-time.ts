import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunTarget } from '@community-lab/contract'
import type { ServerClock } from '../clock/node-clock.ts'
import type { Interval } from '../clock/domain/server-time.ts'
import { currentBoot } from '../measurement/catcher/stream-folder.ts'

/** The files of a run's folder that tell its supervisor when its program begins; see `agent/perl/run.pl`. */
export const startFiles = ['start', 'start.new'] as const
/** A start that is known to have moved by less than this is not told again, in microseconds. A process takes longer to begin. */
const leastMoveUs = 100

/** Tells the supervisor of a run when its program begins, by the kernel's monotonic clock: nobody can set that one, and all nodes begin at the same time of the server's clock. */
export class StartTime {
  readonly #dir: string
  #toldUs = Number.NaN

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Forget what was told. It may be of another boot, or of before the host was suspended. */
  async clear(): Promise<void> {
    this.#toldUs = Number.NaN
    for (const name of startFiles) await rm(join(this.#dir, name), { force: true })
  }

  /** Tell what is known now. While that is nothing, the supervisor goes on with what it knows: what was told last, or the time by the wall clock. */
  async tell({ start_at: at }: RunTarget, clock: Pick<ServerClock, 'monotonicAt'>): Promise<void> {
    const known = at === null ? null : clock.monotonicAt(new Date(at).getTime() * 1000)
    if (known === null) return
    const us = Math.round(middleOf(known))
    if (Math.abs(us - this.#toldUs) < leastMoveUs) return
    const draft = join(this.#dir, 'start.new')
    await writeFile(draft, `${currentBoot()} ${us}\n`)
    await rename(draft, join(this.#dir, 'start'))
    this.#toldUs = us
  }
}

/** The server's time as well as it is known, in milliseconds since the epoch; while nothing is known, the time by the node's wall clock. */
export function nowMsOf(clock: Pick<ServerClock, 'serverTime'>, dateMs: () => number): number {
  const known = clock.serverTime()
  return known === null ? dateMs() : middleOf(known) / 1000
}

function middleOf({ lowUs, highUs }: Interval): number {
  return (lowUs + highUs) / 2
}
