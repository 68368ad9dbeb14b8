import type { TSchema } from 'typebox'
import type { Condition, FilterColumns } from '../../postgres/filter.ts'

/** Some of the objects that fulfil a condition, in their order. */
export interface Page {
  readonly where: Condition
  readonly limit?: number
  readonly offset?: number
}

/** A list that the database filters and cuts in pages. */
export interface ListSource<T> {
  /** Of one object. */
  readonly schema: TSchema
  readonly columns: FilterColumns
  count(where: Condition): Promise<number>
  read(page: Page): Promise<readonly T[]>
  /** The condition that an object comes after this one in the list's order. */
  after(object: T): Condition
}
