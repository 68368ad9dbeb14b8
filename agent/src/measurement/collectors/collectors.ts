import { setTimeout as delay } from 'node:timers/promises'
import type { Sample } from '../sample.ts'
import type { Spool } from '../spool/spool.ts'
import { createNodeHealth, type Collector } from './node-health.ts'
import { createNodeNetwork } from './node-network.ts'
import { createNodeRouting } from './node-routing.ts'
import { createSliverHealth, type MeasuredSliver } from './sliver-health.ts'

/** Options of {@link createCollectors}. */
export interface CollectorsOptions {
  readonly spool: Spool
  /** The time between two rounds, in milliseconds. The first round is at once. */
  readonly intervalMs: number
  /** List the running slivers. */
  readonly slivers: () => readonly MeasuredSliver[] | Promise<readonly MeasuredSliver[]>
  /** The path of proc(5); default `/proc`. */
  readonly procRoot?: string
  /** A path on the disk to measure; default `/`. */
  readonly diskPath?: string
  /** babeld's socket for readers; null: links and routes are not measured. */
  readonly babelSocket: string | null
  /** Called when a collector fails. The other collectors and the next rounds continue. */
  readonly onProblem?: (collector: string, error: unknown) => void
  /** Ends all measurements. */
  readonly signal: AbortSignal
}

/** The measurements of the node, in rounds. */
export interface Collectors {
  /** Settles after the signal was aborted and the current round is done. */
  readonly ended: Promise<void>
}

/** Measure the node, its interfaces and its slivers into the spool, in rounds, until the signal is aborted. */
export function createCollectors(options: CollectorsOptions): Collectors {
  const { spool, signal, slivers, intervalMs, procRoot = '/proc', diskPath = '/' } = options
  const collectors: readonly Collector[] = [
    createNodeHealth({ procRoot, diskPath }),
    createNodeNetwork({ procRoot }),
    createSliverHealth({ slivers, procRoot }),
    ...(options.babelSocket === null
      ? []
      : [createNodeRouting({ socketPath: options.babelSocket })]),
  ]

  async function collect(collector: Collector): Promise<readonly Sample[]> {
    try {
      return await collector.collect()
    } catch (error) {
      options.onProblem?.(collector.name, error)
      return []
    }
  }

  /** Measure one round. All its samples are appended, and so sent, together. */
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
      // The rounds follow the clock, however long one takes. Missed rounds are not repeated.
      const waitMs = intervalMs - ((performance.now() - beganMs) % intervalMs)
      await delay(waitMs, undefined, { signal }).catch(() => {
        // The signal was aborted during the delay.
      })
    }
  }

  return { ended: run() }
}
