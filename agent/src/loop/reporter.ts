import type { NodeReport } from '@community-lab/contract'
import { backoffMs } from './backoff.ts'
import { createBell } from './bell.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { takeTurns } from './turns.ts'

/** Options of {@link createReporter}. */
export interface ReporterOptions {
  /** Make the report of now. */
  readonly makeReport: () => Promise<NodeReport>
  readonly putReport: (report: NodeReport, signal: AbortSignal) => Promise<void>
  /** The longest wait after a failure, in milliseconds. */
  readonly longestWaitMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Tells the server how the node is: the whole state each time, the newest only. */
export interface Reporter {
  /** Something may have changed: report soon, if it has. */
  noteChange(): void
  /** The server was heard of: report soon, changed or not. */
  noteContact(): void
  /** Report until the signal ends it. */
  run(signal: AbortSignal): Promise<void>
}

/** Reports are at least this far apart, in milliseconds, so that what happens together is told together. */
const spacingMs = 50

/** Make a reporter. A report that could not be delivered is made anew and tried again after 1 s, doubling. */
export function createReporter(options: ReporterOptions): Reporter {
  const { clock, log } = options
  const changed = createBell(clock)
  const contact = createBell(clock)
  let delivered: string | null = null
  let failuresInRow = 0
  let lastMs = Number.NEGATIVE_INFINITY

  /** A change is worth a report; while the server is away only time is, or a sign of it. */
  async function untilWorthwhile(signal: AbortSignal): Promise<void> {
    if (failuresInRow === 0) await changed.heard(null, signal)
    else
      await contact.heard(backoffMs(failuresInRow, options.longestWaitMs, clock.random()), signal)
  }

  async function deliver(signal: AbortSignal): Promise<void> {
    try {
      const report = await options.makeReport()
      const text = JSON.stringify(report)
      if (text === delivered) return
      await options.putReport(report, signal)
      delivered = text
      if (failuresInRow > 0) log.info({ failures: failuresInRow }, 'reports are accepted again')
      failuresInRow = 0
    } catch (error) {
      if (signal.aborted) throw error
      delivered = null
      failuresInRow += 1
      log.warn({ err: error, failures: failuresInRow }, 'the report could not be delivered')
    }
  }

  return {
    noteChange: () => changed.ring(),
    noteContact() {
      delivered = null
      changed.ring()
      contact.ring()
    },
    run: (signal) =>
      takeTurns(signal, async () => {
        await untilWorthwhile(signal)
        const tooSoonMs = lastMs + spacingMs - clock.nowMs()
        if (tooSoonMs > 0) await clock.wait(tooSoonMs, signal)
        await deliver(signal)
        lastMs = clock.nowMs()
      }),
  }
}
