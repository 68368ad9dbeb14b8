import { askedDelayMs, backoffMs, type Seen } from '@community-lab/contract'
import type { FetchedTarget, TargetAnswer } from '../server/client.ts'
import { createAutoResetEvent } from './auto-reset-event.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { repeatUntilAborted } from './repeat.ts'

/** Options of {@link createPuller}. */
export interface PullerOptions {
  /** Ask cheaply whether the target of this ETag is still the newest, and whether the server has the node's last report; null: it cannot be told. */
  readonly look: (etag: string) => Promise<Omit<Seen, 'type'> | null>
  readonly getTarget: (etag: string | null, signal: AbortSignal) => Promise<TargetAnswer>
  /** The ETag of the target that is known already; null when none is. */
  readonly etag: string | null
  /** The longest time between two looks, in milliseconds. */
  readonly pollMs: number
  readonly clock: Clock
  readonly log: Log
  /** Called with each new target; the next look waits for it. */
  readonly onTarget: (fetched: FetchedTarget) => Promise<void>
  /** Called after each look that the server answered; whether it has the node's last report. */
  readonly onContact: (isReportKnown: boolean) => void
}

/** Reads what is wanted of the node, again and again. A failed look changes nothing. */
export interface Puller {
  /** Look now. Hints that come while the answer is awaited lead to one more look, for that answer may be older. */
  hint(): void
  /** Give up the look under way, if there is one, and look again: the network it went over has come back. */
  restart(): void
  /** Look until the signal ends it. */
  run(signal: AbortSignal): Promise<void>
}

/** The share of the time between two looks that is left out at random, so that the nodes of a testbed do not ask all at once. */
const jitter = 0.1

/** Make a puller. After a failure it waits 1 s, doubling up to the time between two looks, or as long as the server asks. */
export function createPuller(options: PullerOptions): Puller {
  const { pollMs, clock, log } = options
  const backoff = { firstMs: 1_000, longestMs: pollMs, jitter }
  const due = createAutoResetEvent(clock)
  let { etag } = options
  let failuresInRow = 0
  /** How long the server has asked to be left alone, in milliseconds. */
  let askedMs = 0
  let attempt = new AbortController()

  /** After a hint the target has most likely changed, so that asking whether it has would be a waste of time. */
  async function look(isHinted: boolean, signal: AbortSignal): Promise<void> {
    attempt = new AbortController()
    try {
      const seen = isHinted || etag === null ? null : await options.look(etag)
      const aborted = AbortSignal.any([signal, attempt.signal])
      const answer: TargetAnswer =
        seen?.target === true ? { changed: false } : await options.getTarget(etag, aborted)
      if (answer.changed) {
        await options.onTarget(answer.fetched)
        etag = answer.fetched.etag
      }
      if (failuresInRow > 0) log.info({ failures: failuresInRow }, 'the server answers again')
      failuresInRow = 0
      askedMs = 0
      options.onContact(seen?.report === true)
    } catch (error) {
      if (signal.aborted) throw error
      if (attempt.signal.aborted) return
      failuresInRow += 1
      askedMs = askedDelayMs(error, clock.random())
      log.warn({ err: error, failures: failuresInRow }, 'the target could not be fetched')
    }
  }

  return {
    hint: () => due.set(),
    restart() {
      due.set()
      attempt.abort()
    },
    run(signal) {
      let isHinted = false
      return repeatUntilAborted(signal, async () => {
        await look(isHinted, signal)
        const waitMs =
          failuresInRow === 0
            ? pollMs * (1 - jitter * clock.random())
            : Math.max(askedMs, backoffMs(backoff, failuresInRow, clock.random()))
        isHinted = (await due.wait(waitMs, signal)) === 'set'
      })
    },
  }
}
