import { firstColumns } from '../domain/layout.ts'
import { quoteIdentifier } from '../domain/name.ts'

/** The numbers of decimals that are tried. Measurements have few: a round trip in microseconds has six, a ratio three. */
const scales = [0, 1, 2, 3, 4, 5, 6, 7, 9] as const
/** The number of rows by which the first attempt is chosen. */
const probeRows = 2_000

/** Runs a query that has one row. */
export type AskOne = (sql: string) => Promise<readonly unknown[]>

/**
 * Choose the type of each column of a sealed file, so that each value is kept exactly and takes little room. `source` is SQL of rows with the types of the
 * database.
 *
 * Numbers that all have at most nine decimals become DECIMAL(18, n), and integers that fit become BIGINT: Parquet stores both as integers, as differences of
 * neighbours in as few bits as they need (DELTA_BINARY_PACKED), which is a third of what doubles take. Whether a decimal is exactly its double is checked
 * for each value: one that is not, infinite, NaN or a negative zero leaves the column with doubles.
 */
export async function chooseTypes(
  ask: AskOne,
  source: string,
  columns: readonly (readonly [string, string])[],
): Promise<ReadonlyMap<string, string>> {
  const chosen = new Map<string, string>()
  const numbers = columns.filter(([, type]) => type === 'DOUBLE').map(([column]) => column)
  const integers = columns.filter(([, type]) => type === 'HUGEINT').map(([column]) => column)
  const probed = await findScales(ask, `(select * from ${source} limit ${probeRows})`, {
    ...{ columns: numbers, from: () => 0 },
  })
  // One pass over all rows with one candidate for each column, and one with all others for those of which it was not enough.
  const likely = new Map(probed)
  const firstTry = await findScales(ask, source, {
    columns: [...likely.keys()],
    from: (column) => likely.get(column) ?? 0,
    only: (column, scale) => likely.get(column) === scale,
  })
  const failed = [...likely.keys()].filter((column) => !firstTry.has(column))
  const secondTry = await findScales(ask, source, {
    columns: failed,
    from: (column) => (likely.get(column) ?? 0) + 1,
  })
  for (const [column, scale] of [...firstTry, ...secondTry])
    chosen.set(column, `DECIMAL(18,${scale})`)
  for (const column of numbers) if (!chosen.has(column)) chosen.set(column, 'DOUBLE')
  if (integers.length > 0) {
    const fit = await ask(
      `select ${integers.map((column) => `coalesce(bool_and(${quoteIdentifier(column)} between -9223372036854775808 and 9223372036854775807), true)`).join(', ')} from ${source}`,
    )
    for (const [index, column] of integers.entries())
      chosen.set(column, fit[index] === true ? 'BIGINT' : 'DECIMAL(38,0)')
  }
  return chosen
}

interface ScaleSearch {
  readonly columns: readonly string[]
  /** The least number of decimals that is tried. */
  from(column: string): number
  only?(column: string, scale: number): boolean
}

/** Find the least number of decimals with which a column is exact; columns without one are not in the result. */
async function findScales(
  ask: AskOne,
  source: string,
  { columns, from, only }: ScaleSearch,
): Promise<ReadonlyMap<string, number>> {
  const tried = columns.flatMap((column) =>
    scales
      .filter((scale) => scale >= from(column) && (only?.(column, scale) ?? true))
      .map((scale) => ({ column, scale })),
  )
  const found = new Map<string, number>()
  if (tried.length === 0) return found
  const answer = await ask(
    `select ${tried.map(({ column, scale }) => isExact(quoteIdentifier(column), scale)).join(', ')} from ${source}`,
  )
  for (const [index, { column, scale }] of tried.entries())
    if (answer[index] === true && !found.has(column)) found.set(column, scale)
  return found
}

function isExact(column: string, scale: number): string {
  const back = `try_cast(${column} as decimal(18, ${scale}))::double = ${column}`
  return `coalesce(bool_and(coalesce(${back} and not (${column} = 0 and signbit(${column})), ${column} is null)), true)`
}

/** Return the columns of a sealed file in SQL. Times have a zone, so that readers compare them correctly. */
export function encodedColumns(
  columns: readonly (readonly [string, string])[],
  chosen: ReadonlyMap<string, string>,
): string {
  return columns
    .map(([column]) => {
      const name = quoteIdentifier(column)
      if (column === 'time') return `time at time zone 'UTC' as time`
      const type = chosen.get(column)
      return type === undefined ? name : `${name}::${type} as ${name}`
    })
    .join(', ')
}

/** Return the types of the columns of a sealed file, in order. */
export function encodedTypes(
  columns: readonly (readonly [string, string])[],
  chosen: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  const first = new Map<string, string>(firstColumns)
  return columns.map(([column, type]) => {
    if (column === 'time') return [column, 'TIMESTAMP WITH TIME ZONE'] as const
    return [column, chosen.get(column) ?? first.get(column) ?? type] as const
  })
}
