import { askedDelayMs, backoffMs, type NodeReport } from '@community-lab/contract'
import { createAutoResetEvent } from './auto-reset-event.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { repeatUntilAborted } from './repeat.ts'

/** Options of {@link createReporter}. */
export interface ReporterOptions {
  /** Make a report of the current state. */
  readonly makeReport: () => Promise<NodeReport>
  /** Send a report. Returns its ETag at the server, if it has one. */
  readonly putReport: (report: NodeReport, signal: AbortSignal) => Promise<string | null>
  /** The longest delay after a failure, in milliseconds. */
  readonly longestWaitMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Reports the state of the node to the server. Each report contains the whole state, and only the newest one is sent. */
export interface Reporter {
  /** Something may have changed: report soon if it has. */
  reportSoon(): void
  /** One of several steps is done: report it together with the next ones, or alone when they take long. */
  noteStep(): void
  /** The server has answered: report soon, even without a change, unless it has said that it has the last report. */
  noteContact(isReportKnown: boolean): void
  /** Abort the delivery under way, if any, and report again: its network was down and is back. */
  restart(): void
  /** The ETag of the last delivered report; null when there is none. */
  readonly etag: string | null
  /** Report until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
}

/** The shortest time between two reports, in milliseconds, so that simultaneous changes make one report. */
const spacingMs = 50
/**
 * The longest delay of a step's report, in milliseconds, so that the following steps are in the same report. People who watch the progress hardly notice the
 * delay.
 */
const stepHoldMs = 1_000

/** Make a reporter. After a failed delivery, a new report is made and sent after 1 s, then each time after twice the delay, or when the server requests it. */
export function createReporter(options: ReporterOptions): Reporter {
  const { clock, log } = options
  const backoff = { firstMs: 1_000, longestMs: options.longestWaitMs, jitter: 0.1 }
  const stirred = createAutoResetEvent(clock)
  const contact = createAutoResetEvent(clock)
  let delivered: string | null = null
  let etag: string | null = null
  let failuresInRow = 0
  /** The delay that the server has requested, in milliseconds. */
  let askedMs = 0
  let lastMs = Number.NEGATIVE_INFINITY
  /** The time at which a report is due. */
  let dueMs = Number.POSITIVE_INFINITY
  let attempt = new AbortController()

  function tellWithin(ms: number): void {
    dueMs = Math.min(dueMs, clock.nowMs() + ms)
    stirred.set()
  }

  async function untilDue(signal: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = dueMs - clock.nowMs()
      if (leftMs <= 0) return
      await stirred.wait(Number.isFinite(leftMs) ? leftMs : null, signal)
    }
  }

  /** Wait for a reason to report: a change, or, while the server is away, the end of the delay or a sign that the server is back. */
  async function untilWorthwhile(signal: AbortSignal): Promise<void> {
    if (failuresInRow === 0) await untilDue(signal)
    else
      await contact.wait(
        Math.max(askedMs, backoffMs(backoff, failuresInRow, clock.random())),
        signal,
      )
  }

  async function deliver(signal: AbortSignal): Promise<void> {
    dueMs = Number.POSITIVE_INFINITY
    attempt = new AbortController()
    const { signal: restarted } = attempt
    try {
      const report = await options.makeReport()
      const text = JSON.stringify(report)
      if (text === delivered) return
      etag = await options.putReport(report, AbortSignal.any([signal, restarted]))
      delivered = text
      if (failuresInRow > 0) log.info({ failures: failuresInRow }, 'reports are accepted again')
      failuresInRow = 0
    } catch (error) {
      if (signal.aborted) throw error
      delivered = null
      etag = null
      if (restarted.aborted) return
      failuresInRow += 1
      askedMs = askedDelayMs(error, clock.random())
      log.warn({ err: error, failures: failuresInRow }, 'the report could not be delivered')
    }
  }

  return {
    reportSoon: () => tellWithin(0),
    noteStep: () => tellWithin(stepHoldMs),
    restart() {
      attempt.abort()
      tellWithin(0)
      contact.set()
    },
    get etag() {
      return etag
    },
    noteContact(isReportKnown) {
      if (!isReportKnown) delivered = null
      tellWithin(stepHoldMs)
      contact.set()
    },
    run: (signal) =>
      repeatUntilAborted(signal, async () => {
        await untilWorthwhile(signal)
        const tooSoonMs = lastMs + spacingMs - clock.nowMs()
        if (tooSoonMs > 0) await clock.wait(tooSoonMs, signal)
        await deliver(signal)
        lastMs = clock.nowMs()
      }),
  }
}
