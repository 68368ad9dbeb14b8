import { quoteIdentifier } from './sql-quote.ts'

/** A column, with DuckDB's type. */
export interface TableColumn {
  readonly name: string
  readonly type: string
}

/**
 * Return the type of a column in this database. The server's times are UTC without a zone; here they have a zone, so that comparisons with now() mean the same
 * everywhere. The server's integers beyond 2^53 are decimals in Parquet, which has no such integers; here they are integers. Whole numbers of a
 * declared measurement are doubles at the server, which is exact for those that fit; here they have the declared type.
 */
export function typeHere(
  { name, type }: TableColumn,
  declared: Readonly<Record<string, string>>,
): string {
  if (declared[name] === 'BIGINT' && type === 'DOUBLE') return 'BIGINT'
  if (type === 'TIMESTAMP') return 'TIMESTAMP WITH TIME ZONE'
  return type === 'DECIMAL(38,0)' ? 'HUGEINT' : type
}

/** Return the columns of a Parquet file in SQL, with their types in this database. */
export function select(
  columns: readonly TableColumn[],
  declared: Readonly<Record<string, string>>,
): string {
  return columns
    .map((column) => {
      const name = quoteIdentifier(column.name)
      if (column.type === 'TIMESTAMP') return `${name} at time zone 'UTC' as ${name}`
      const type = typeHere(column, declared)
      return type === column.type ? name : `${name}::${type} as ${name}`
    })
    .join(', ')
}
