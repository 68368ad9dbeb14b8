import { groupInTime } from './intervals.ts'

/** The processor time that one thing used between two samples. */
export interface CpuUse {
  /** The thing, such as a node or a sliver. */
  readonly of: string
  readonly from: Date
  readonly to: Date
  /** How many processors it kept busy, on average: 1 is one processor for the whole time. */
  readonly cpus: number
}

/** How rows tell the processor time that things have used. */
export interface CpuUseOptions<Row> {
  readonly of: (row: Row) => string
  /** The counter, in seconds since the thing began. Null: the row does not have it. */
  readonly seconds: (row: Row) => number | null
}

/**
 * Compute the use of processors between each two samples of a thing, from its counter. A counter that is smaller than before began anew meanwhile, at 0: what it counts now was used
 * since, and what was used before is lost, so the use is at least this. The order of the rows does not matter. Rows of the same time count once.
 *
 * Source for counters that begin anew: Prometheus, `increase()`.
 */
export function cpuUse<Row extends { readonly time: Date }>(
  rows: readonly Row[],
  { of, seconds }: CpuUseOptions<Row>,
): CpuUse[] {
  return [...groupInTime(rows, of)].flatMap(([name, own]) => {
    const uses: CpuUse[] = []
    let before: { readonly time: Date; readonly counter: number } | null = null
    for (const row of own) {
      const counter = seconds(row)
      if (counter === null || row.time.getTime() === before?.time.getTime()) continue
      if (before !== null) {
        const used = counter < before.counter ? counter : counter - before.counter
        const spanS = (row.time.getTime() - before.time.getTime()) / 1e3
        uses.push({ of: name, from: before.time, to: row.time, cpus: used / spanS })
      }
      before = { time: row.time, counter }
    }
    return uses
  })
}

/** The average use of each thing over the whole time of its steps. */
export function meanCpuUse(
  uses: readonly CpuUse[],
): { readonly of: string; readonly cpus: number }[] {
  return [
    ...groupInTime(
      uses.map((use) => ({ ...use, time: use.from })),
      ({ of }) => of,
    ),
  ].map(([of, own]) => {
    const spanMs = own.reduce((sum, { from, to }) => sum + (to.getTime() - from.getTime()), 0)
    const used = own.reduce(
      (sum, { from, to, cpus }) => sum + cpus * (to.getTime() - from.getTime()),
      0,
    )
    return { of, cpus: used / spanMs }
  })
}
