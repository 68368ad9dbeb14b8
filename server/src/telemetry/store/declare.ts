import type { DeclaredFields } from '@community-lab/contract/samples'
import { declareFields } from '../domain/layout.ts'
import { measurementKey, quoteText } from '../domain/name.ts'
import type { Catalog, StoredTable } from './catalog.ts'
import { changeColumns, planTable } from './commit.ts'
import type { DeclareRequest, StoreBounds } from './protocol.ts'

/** The tables of declared measurements, and the statements that make them what was declared. */
export interface Declaration {
  readonly tables: readonly StoredTable[]
  readonly definitions: readonly string[]
}

/**
 * Plan the tables and columns of declared measurements, before they have a sample. A table that is there keeps its rows: values of a column that had another type move to a
 * column beside it. Returns why they cannot be declared, and then plans nothing: they would be beyond a bound.
 */
export function planDeclaration(
  catalog: Catalog,
  { scope, measurements }: DeclareRequest,
  bounds: StoreBounds,
): Declaration | { readonly reason: string } {
  const missing = measurements.filter(
    ({ name }) => !catalog.tables.has(measurementKey(scope, name)),
  )
  const count = catalog.measurementsOf.get(scope) ?? 0
  if (missing.length + count > bounds.measurementsPerScope)
    return {
      reason: `the slice has ${count} measurements already, and may have ${bounds.measurementsPerScope} with the declared ones`,
    }
  for (const { name, fields } of measurements) {
    const known = catalog.tables.get(measurementKey(scope, name))
    const added = newFields(fields, known).length
    const columns = known === undefined ? 0 : known.fields.size
    if (columns + added > bounds.fieldsPerMeasurement)
      return {
        reason: `${name} has ${columns} columns already, and may have ${bounds.fieldsPerMeasurement} with the declared ones`,
      }
  }
  const definitions: string[] = []
  const tables = measurements.map(({ name, fields }) => {
    const place = { scope, name }
    const table =
      catalog.tables.get(measurementKey(scope, name)) ?? planTable(catalog, place, definitions)
    const added = undeclaredFields(fields, table)
    definitions.push(...changeColumns(table, declareFields(table.fields, fields)))
    // The next start of the store has to know them, or later samples would decide about their columns.
    if (added.length > 0) {
      const values = added.map((field) => `(${[scope, name, field].map(quoteText).join(', ')})`)
      definitions.push(
        `insert into main.declared_fields values ${values.join(', ')} on conflict do nothing`,
      )
    }
    return table
  })
  return { tables, definitions }
}

function newFields(fields: DeclaredFields, table: StoredTable | undefined): string[] {
  return Object.keys(fields).filter((field) => table?.fields.has(field) !== true)
}

function undeclaredFields(fields: DeclaredFields, table: StoredTable): string[] {
  return Object.keys(fields).filter((field) => table.fields.get(field)?.isDeclared !== true)
}
