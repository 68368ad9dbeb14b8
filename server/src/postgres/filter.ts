import { sql, type RawBuilder } from 'kysely'
import type { Filter } from '../domain/filter.ts'

/** A condition in SQL. */
export type Condition = RawBuilder<boolean>

/** How to find the members of an object in the database, by JSON pointer. A pointer that ends in a star stands for every member of an object. */
export type FilterColumns = Readonly<Record<string, FilterColumn>>

/** Returns the condition for rows with this value in a member. `name` is the name that the star of the pointer stands for. */
export type FilterColumn = (value: unknown, name: string) => Condition

/** The filters that the database can apply, as a condition, and the remaining ones. */
export interface SplitFilters {
  readonly where: Condition
  readonly rest: readonly Filter[]
}

const always = sql<boolean>`true`
const never = sql<boolean>`false`

/** Let the database apply the filters whose members have a column. */
export function splitFilters(filters: readonly Filter[], columns: FilterColumns): SplitFilters {
  let where: Condition = always
  const rest: Filter[] = []
  for (const filter of filters) {
    const name = filter.path.at(-1) ?? ''
    const pointer = `/${filter.path.join('/')}`
    const column = columns[pointer] ?? columns[`/${filter.path.slice(0, -1).join('/')}/*`]
    if (column === undefined) rest.push(filter)
    else where = both(where, either(filter.anyOf.map((value) => column(value, name))))
  }
  return { where, rest }
}

/** Combine two conditions with "and". */
export function both(one: Condition, other: Condition): Condition {
  return sql<boolean>`${one} and ${other}`
}

/** Combine conditions with "or". */
function either(conditions: readonly Condition[]): Condition {
  return sql<boolean>`(${sql.join(conditions, sql` or `)})`
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

/** A member that is an object, or null when this column is null. */
export function object(column: RawBuilder<unknown>): FilterColumn {
  return (value) => (value === null ? sql<boolean>`${column} is null` : never)
}

/** A member of an object of free properties. */
export function property(column: RawBuilder<unknown>): FilterColumn {
  return (value, name) =>
    typeof value === 'string' ? sql<boolean>`${column} ->> ${name} = ${value}` : never
}
