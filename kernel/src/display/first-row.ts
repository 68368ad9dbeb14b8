/** A row of data with named columns. */
export type Row = Readonly<Record<string, unknown>>

/** The names that one row does not have, and what reads them: Plot, as a column, or a function of the notebook. */
export type Asked = Map<string, 'column' | 'function'>

/**
 * Run a function that reads columns, on data that has the first row alone. Return the names that it reads and the row does not have. It is no problem if the
 * function fails for one row: then it has read what it could, and Plot calls it again with all rows.
 *
 * Plot reads a column by its name, and where it has no value, reads `type` next, to look into features of GeoJSON. This tells columns and functions apart.
 * Source: Plot 0.6.17, `field` in options.js.
 */
export function askFirstRow(rows: readonly Row[], read: (data: readonly Row[]) => void): Asked {
  const asked: Asked = new Map()
  const row = rows.find(isRow)
  if (row === undefined) return asked
  let last: string | null = null
  const asking = new Proxy(row, {
    get(target, name): unknown {
      if (name === 'type' && last !== null) {
        asked.set(last, 'column')
        last = null
      } else {
        last = typeof name === 'string' && !hasColumn(target, name) ? name : null
        if (last !== null && !asked.has(last)) asked.set(last, 'function')
      }
      return Reflect.get(target, name)
    },
  })
  const trial = [asking]
  trials.add(trial)
  try {
    read(trial)
  } catch {
    // The function is called again with all rows, where its error is thrown.
  }
  return asked
}

const trials = new WeakSet<object>()

/** Return whether data is one that {@link askFirstRow} has made, of which nothing is drawn. */
export function isTrial(data: object): boolean {
  return trials.has(data)
}

/** Return whether a row has a column, as one of its members or of a GeoJSON feature's properties. */
export function hasColumn(row: Row, column: string): boolean {
  if (column in row) return true
  const { properties } = row
  return row['type'] === 'Feature' && isRow(properties) && column in properties
}

/** Return whether a value is a row with named columns. */
export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
