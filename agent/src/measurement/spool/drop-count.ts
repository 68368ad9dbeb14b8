import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { droppedMeasurement } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { nowUs, type Sample } from '../sample.ts'

const Totals = Type.Record(Type.String(), Type.Integer({ minimum: 0 }))
type Totals = Static<typeof Totals>

/** The mark that holds how many drops have been written into the spool as samples. */
const markKey = 'dropped'

/**
 * How many samples a full spool had to drop, in total and by source. The totals live in a file beside the segments, and what of them has been told
 * in a `dropped` sample lives in a mark of the spool: so each drop is told once, also when the process is killed in between.
 */
export class DropCount {
  readonly #path: string
  readonly #totals: Totals

  /** Go on with the count in a file. `marks` are the spool's: what was told of the count has been counted, whatever became of the file. */
  constructor(path: string, marks: Readonly<Record<string, unknown>>) {
    this.#path = path
    this.#totals = readTotals(path)
    for (const [source, lines] of Object.entries(toldOf(marks)))
      this.#totals[source] = Math.max(this.#totals[source] ?? 0, lines)
  }

  /** Count samples that are dropped. */
  add(samples: readonly Sample[]): void {
    for (const { source } of samples) this.#totals[source] = (this.#totals[source] ?? 0) + 1
    try {
      // Beside it first: on a full disk, and when the process is killed, the old one stays.
      writeFileSync(`${this.#path}.next`, JSON.stringify(this.#totals), { mode: 0o600 })
      renameSync(`${this.#path}.next`, this.#path)
    } catch {
      // The disk is full: the count is kept in memory and written with the next one.
    }
  }

  /** The samples that tell the drops not yet told, and the mark to append with them; null when there are none. */
  untold(
    marks: Readonly<Record<string, unknown>>,
  ): { samples: Sample[]; marks: Record<string, unknown> } | null {
    const told = toldOf(marks)
    const samples = Object.entries(this.#totals).flatMap(([source, total]) => {
      const lines = total - (told[source] ?? 0)
      if (lines <= 0) return []
      return [{ time_us: nowUs(), source, name: droppedMeasurement, fields: { lines } }]
    })
    return samples.length === 0 ? null : { samples, marks: { [markKey]: { ...this.#totals } } }
  }
}

function toldOf(marks: Readonly<Record<string, unknown>>): Totals {
  const mark = marks[markKey]
  return Value.Check(Totals, mark) ? mark : {}
}

function readTotals(path: string): Totals {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return Value.Check(Totals, value) ? value : {}
  } catch {
    // None yet, or damaged: what it counted and was not told is lost with it.
    return {}
  }
}
