import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { droppedMeasurement } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { nowUs, type Sample } from '../sample.ts'

const Totals = Type.Record(Type.String(), Type.Integer({ minimum: 0 }))
type Totals = Static<typeof Totals>

/** The key of the mark with the counts that `dropped` samples in the spool have already reported. */
const markKey = 'dropped'

/**
 * Counts the samples that a full spool had to drop, by source. The totals are in a file beside the segments. A mark of the spool has the totals that `dropped` samples have
 * reported; it is written together with these samples. So each dropped sample is reported exactly once, even if the process is killed.
 */
export class DropCount {
  readonly #path: string
  readonly #totals: Totals

  /** Read the counts from a file. `marks` are those of the spool: if the file is damaged, the counts are at least those of the mark. */
  constructor(path: string, marks: Readonly<Record<string, unknown>>) {
    this.#path = path
    this.#totals = readTotals(path)
    for (const [source, lines] of Object.entries(reportedIn(marks)))
      this.#totals[source] = Math.max(this.#totals[source] ?? 0, lines)
  }

  /** Count dropped samples. */
  add(samples: readonly Sample[]): void {
    for (const { source } of samples) this.#totals[source] = (this.#totals[source] ?? 0) + 1
    try {
      // A new file is written first: when the disk is full or the process is killed, the old file stays.
      writeFileSync(`${this.#path}.next`, JSON.stringify(this.#totals), { mode: 0o600 })
      renameSync(`${this.#path}.next`, this.#path)
    } catch {
      // The disk is full: the count is kept in memory and written with the next one.
    }
  }

  /** Make samples that report the drops since the last report, and the mark to append with them; null when there are none. */
  unreported(
    marks: Readonly<Record<string, unknown>>,
  ): { samples: Sample[]; marks: Record<string, unknown> } | null {
    const reported = reportedIn(marks)
    const samples = Object.entries(this.#totals).flatMap(([source, total]) => {
      const lines = total - (reported[source] ?? 0)
      if (lines <= 0) return []
      return [{ time_us: nowUs(), source, name: droppedMeasurement, fields: { lines } }]
    })
    return samples.length === 0 ? null : { samples, marks: { [markKey]: { ...this.#totals } } }
  }
}

function reportedIn(marks: Readonly<Record<string, unknown>>): Totals {
  const mark = marks[markKey]
  return Value.Check(Totals, mark) ? mark : {}
}

function readTotals(path: string): Totals {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return Value.Check(Totals, value) ? value : {}
  } catch {
    // There is none yet, or it is damaged. In that case the drops that were not reported are lost.
    return {}
  }
}
