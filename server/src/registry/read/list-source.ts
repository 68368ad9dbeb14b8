import type { TSchema } from 'typebox'
import type { Condition, FilterColumns } from '../../postgres/filter.ts'

/** Some of the objects that fulfil a condition, in order. */
export interface Page {
  readonly where: Condition
  readonly limit?: number
  readonly offset?: number
}

/** A list that the database filters and divides into pages. */
export interface ListSource<T> {
  /** The schema of one object. */
  readonly schema: TSchema
  readonly columns: FilterColumns
  /** Parameters of the query that are not filters, besides those for pages; default: none. */
  readonly parameters?: readonly string[]
  /** Whether the list is answered in pages also when the query names none, because it grows without end; default false. */
  readonly isAlwaysPaged?: boolean
  /** Parameters of the query that are conditions, besides filters. Each function throws LAB_REQUEST_INVALID for a text that is no condition. */
  readonly conditions?: Readonly<Record<string, (text: string) => Condition>>
  count(where: Condition): Promise<number>
  read(page: Page): Promise<readonly T[]>
  /** Return the condition for objects that come after this one in the order of the list. */
  after(object: T): Condition
}
