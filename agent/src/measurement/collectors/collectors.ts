import { setTimeout as delay } from 'node:timers/promises'
import type { Sample } from '../sample.ts'
import type { Spool } from '../spool/spool.ts'
import { createNodeHealth, type Collector } from './node-health.ts'
import { createNodeNetwork } from './node-network.ts'
import { createSliverHealth, type MeasuredSliver } from './sliver-health.ts'

/** Options of {@link createCollectors}. */
export interface CollectorsOptions {
  readonly spool: Spool
  /** Time between two rounds, in milliseconds; the first one is at once. */
  readonly intervalMs: number
  /** The slivers that run now. */
  readonly slivers: () => readonly MeasuredSliver[] | Promise<readonly MeasuredSliver[]>
  /** Where proc(5) is; default `/proc`. */
  readonly procRoot?: string
  /** A path on the disk that is told of; default `/`. */
  readonly diskPath?: string
  /** Told when a collector fails; the others and the next round go on. */
  readonly onProblem?: (collector: string, error: unknown) => void
  /** Ends it all. */
  readonly signal: AbortSignal
}

/** Measurements that the node makes of itself, in rounds. */
export interface Collectors {
  /** Settles when the signal has ended them and the round under way is done. */
  readonly ended: Promise<void>
}

/** Measure the node, its interfaces and its slivers into the spool, in rounds, until the signal ends it. */
export function createCollectors(options: CollectorsOptions): Collectors {
  const { spool, signal, slivers, intervalMs, procRoot = '/proc', diskPath = '/' } = options
  const collectors: readonly Collector[] = [
    createNodeHealth({ procRoot, diskPath }),
    createNodeNetwork({ procRoot }),
    createSliverHealth({ slivers, procRoot }),
  ]

  async function collect(collector: Collector): Promise<readonly Sample[]> {
    try {
      return await collector.collect()
    } catch (error) {
      options.onProblem?.(collector.name, error)
      return []
    }
  }

  /** All of a round goes to the disk, and to the server, at once. */
  async function keepRound(): Promise<void> {
    const samples = (await Promise.all(collectors.map(collect))).flat()
    try {
      if (samples.length > 0) spool.append(samples)
    } catch (error) {
      options.onProblem?.('spool', error)
    }
  }

  async function run(): Promise<void> {
    const beganMs = performance.now()
    while (!signal.aborted) {
      await keepRound()
      // By the clock, whatever a round takes; rounds that were missed are not made up for.
      const waitMs = intervalMs - ((performance.now() - beganMs) % intervalMs)
      await delay(waitMs, undefined, { signal }).catch(() => {
        // Ended while it waited.
      })
    }
  }

  return { ended: run() }
}
