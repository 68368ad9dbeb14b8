import type { TSchema } from 'typebox'
import type { Condition, FilterColumns } from '../../postgres/filter.ts'

/** Some of the objects that fulfil a condition, in order. */
export interface Page {
  readonly where: Condition
  readonly limit?: number
  readonly offset?: number
}

/** The version of an object. What the object says changes only with it. */
export interface Version {
  readonly id: string
  readonly version: string
}

/** How the objects of a list are kept as text, and only those read again that have changed. */
export interface Kept<T> {
  idOf(object: T): string
  /** Read the versions of a page's objects, in order. */
  versions(page: Page): Promise<readonly Version[]>
  /** Read objects by their ids. */
  read(ids: readonly string[]): Promise<readonly T[]>
  /** Return the last contact of an object, in milliseconds since the epoch, when it is newer than the stored one. It is no part of the version. */
  readonly lastSeenMs?: (id: string) => number | null
}

/** How a list that grows without end is read page by page: each object has an id, by which the list is ordered. */
export interface Endless<T> {
  idOf(object: T): number
  /** Return the condition for objects that come after this id in the order of the list. */
  after(id: number): Condition
}

/** A list that the database filters and divides into pages. */
export interface ListSource<T> {
  /** The schema of one object. */
  readonly schema: TSchema
  readonly columns: FilterColumns
  /** Parameters of the query that are not filters, besides those for pages; default: none. */
  readonly parameters?: readonly string[]
  /** How its objects are kept as text; undefined: they are not. */
  readonly kept?: Kept<T>
  /** Where a page goes on in a list that grows without end, which is answered in pages only; undefined: the list is of what is there now. */
  readonly endless?: Endless<T>
  /** Parameters of the query that are conditions, besides filters. Each function throws LAB_REQUEST_INVALID for a text that is no condition. */
  readonly conditions?: Readonly<Record<string, (text: string) => Condition>>
  /** The most of its objects that are in memory at once for one reader, and on a page, where they may be large; undefined: as many as of other lists. */
  readonly atOnce?: number
  /** Return a text that differs whenever any object of this kind has changed; absent: such changes are not counted. */
  readonly version?: () => Promise<string>
  count(where: Condition): Promise<number>
  read(page: Page): Promise<readonly T[]>
  /** Return the condition for objects that come after this one in the order of the list. */
  after(object: T): Condition
}
