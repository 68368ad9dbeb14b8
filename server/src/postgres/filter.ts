import { sql, type RawBuilder } from 'kysely'
import type { Filter } from '../domain/filter.ts'

/** A condition in SQL. */
export type Condition = RawBuilder<boolean>

/** How the members of an object, by JSON pointer, are found in the database. A pointer that ends in a star stands for every member of an object. */
export type FilterColumns = Readonly<Record<string, FilterColumn>>

/** Tells which rows have this value in a member; `name` is what the star of its pointer stands for. */
export type FilterColumn = (value: unknown, name: string) => Condition

/** Filters as far as the database can tell, and those that are left. */
export interface SplitFilters {
  readonly where: Condition
  readonly rest: readonly Filter[]
}

const always = sql<boolean>`true`
const never = sql<boolean>`false`

/** Let the database look at what it has a column for. */
export function splitFilters(filters: readonly Filter[], columns: FilterColumns): SplitFilters {
  let where: Condition = always
  const rest: Filter[] = []
  for (const filter of filters) {
    const name = filter.path.at(-1) ?? ''
    const pointer = `/${filter.path.join('/')}`
    const column = columns[pointer] ?? columns[`/${filter.path.slice(0, -1).join('/')}/*`]
    if (column === undefined) rest.push(filter)
    else where = both(where, column(filter.value, name))
  }
  return { where, rest }
}

/** Both conditions. */
export function both(one: Condition, other: Condition): Condition {
  return sql<boolean>`${one} and ${other}`
}

/** A member that is text, or null. */
export function text(column: RawBuilder<unknown>): FilterColumn {
  return (value) => {
    if (value === null) return sql<boolean>`${column} is null`
    return typeof value === 'string' ? sql<boolean>`${column} = ${value}` : never
  }
}

const maxInteger = 2 ** 31 - 1

/** A member that is an integer, or null. */
export function integer(column: RawBuilder<unknown>): FilterColumn {
  return (value) => {
    if (value === null) return sql<boolean>`${column} is null`
    const isOne = typeof value === 'number' && Math.abs(value) <= maxInteger
    return isOne && Number.isInteger(value) ? sql<boolean>`${column} = ${value}` : never
  }
}

/** A member that is true or false. */
export function boolean(column: RawBuilder<unknown>): FilterColumn {
  return (value) => (typeof value === 'boolean' ? sql<boolean>`${column} = ${value}` : never)
}

/** A member that is an object, or null when this column is. */
export function object(column: RawBuilder<unknown>): FilterColumn {
  return (value) => (value === null ? sql<boolean>`${column} is null` : never)
}

/** A member of an object of free properties. */
export function property(column: RawBuilder<unknown>): FilterColumn {
  return (value, name) =>
    typeof value === 'string' ? sql<boolean>`${column} ->> ${name} = ${value}` : never
}
