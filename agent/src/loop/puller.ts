import { askedDelayMs, backoffMs, type Seen } from '@community-lab/contract'
import type { FetchedTarget, TargetAnswer } from '../server/client.ts'
import { createAutoResetEvent } from './auto-reset-event.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { repeatUntilAborted } from './repeat.ts'

/** Options of {@link createPuller}. */
export interface PullerOptions {
  /**
   * Ask with a short message whether the target with this ETag is still the newest, and whether the server has the node's last report; null: this is impossible
   * now.
   */
  readonly poll: (etag: string) => Promise<Omit<Seen, 'type'> | null>
  readonly getTarget: (etag: string | null, signal: AbortSignal) => Promise<TargetAnswer>
  /** The ETag of the known target; null when there is none. */
  readonly etag: string | null
  /** The longest time between two looks, in milliseconds. */
  readonly pollMs: number
  readonly clock: Clock
  readonly log: Log
  /** Called with each new target. The next look waits for it. */
  readonly onTarget: (fetched: FetchedTarget) => Promise<void>
  /** Called after each answer of the server, with whether the server has the node's last report. */
  readonly onContact: (isReportKnown: boolean) => void
}

/** Polls the target of the node. A failed look changes nothing. */
export interface Puller {
  /** Look now. Hints before the answer lead to one more look, because the answer may be older than they are. */
  hint(): void
  /** Abort the current look, if any, and look again: its network was down and is back. */
  restart(): void
  /** Look until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
}

/** The largest random reduction of the time between two looks, as a fraction, so that the nodes of a testbed do not ask at the same time. */
const jitter = 0.1

/** Make a puller. After a failure the delay is 1 s, which doubles up to the time between two looks, or as long as the server requests. */
export function createPuller(options: PullerOptions): Puller {
  const { pollMs, clock, log } = options
  const backoff = { firstMs: 1_000, longestMs: pollMs, jitter }
  const due = createAutoResetEvent(clock)
  let { etag } = options
  let failuresInRow = 0
  /** The delay that the server has requested, in milliseconds. */
  let askedMs = 0
  let attempt = new AbortController()
  /** End the wait for the answer to a poll over the stream. */
  let leavePoll = (): void => undefined

  /**
   * Poll over the stream; null: there is no answer, or no wait for it any more. A busy server may not read the stream for a while, and its hints arrive all the
   * same.
   */
  function poll(known: string): ReturnType<PullerOptions['poll']> {
    return new Promise((resolve, reject) => {
      leavePoll = () => resolve(null)
      options.poll(known).then(resolve, reject)
    })
  }

  /** Look once. After a hint, the target is fetched at once, because it has most likely changed. */
  async function pull(isHinted: boolean, signal: AbortSignal): Promise<void> {
    attempt = new AbortController()
    try {
      const seen = isHinted || etag === null ? null : await poll(etag)
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
    hint() {
      due.set()
      leavePoll()
    },
    restart() {
      due.set()
      attempt.abort()
      leavePoll()
    },
    run(signal) {
      let isHinted = false
      return repeatUntilAborted(signal, async () => {
        await pull(isHinted, signal)
        const waitMs =
          failuresInRow === 0
            ? pollMs * (1 - jitter * clock.random())
            : Math.max(askedMs, backoffMs(backoff, failuresInRow, clock.random()))
        isHinted = (await due.wait(waitMs, signal)) === 'set'
      })
    },
  }
}
