import { LabError } from '@community-lab/contract'

/** The part of a list that a request asks for. */
export interface Pages {
  /** Whether the list comes in pages; otherwise it comes as a whole. */
  readonly isPaged: boolean
  readonly perPage: number
  /** From 1. */
  readonly page: number
  /** Whether a page after the last one is the last one; otherwise it is empty. */
  readonly isLastAtMost: boolean
}

type Query = Readonly<Record<string, unknown>>

/** The most objects on a page. */
export const maxPerPage = 1_000
/** The objects on a page unless `per_page` says otherwise. */
export const defaultPerPage = 100

/**
 * Read the pages that a client of this project asks for: `page` or `per_page`.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID.
 */
export function readPages(query: Query, most = maxPerPage): Pages {
  return {
    isPaged: query['page'] !== undefined || query['per_page'] !== undefined,
    perPage: readCount(query, 'per_page', Math.min(defaultPerPage, most), most),
    page: readCount(query, 'page', 1, Number.MAX_SAFE_INTEGER),
    isLastAtMost: false,
  }
}

/**
 * Read the pages that a client of CONFINE asks for. Only `per_page` cuts a list; a number that makes no sense is not refused. Source: CONFINE controller 1.0.2,
 * where `per_page` has no upper limit; here a page has at most 1,000 objects, and `next` leads to the rest.
 */
export function readConfinePages(query: Query, most = maxPerPage): Pages {
  const perPage = readNumber(query['per_page'])
  const page = readNumber(query['page'])
  return {
    isPaged: perPage !== null,
    perPage: Math.min(Math.max(perPage ?? defaultPerPage, 1), most),
    // A page out of range, such as 0 or -1, is the last one.
    page: page === null ? 1 : page < 1 ? Number.MAX_SAFE_INTEGER : page,
    isLastAtMost: true,
  }
}

function readNumber(text: unknown): number | null {
  return typeof text === 'string' && /^-?\d{1,15}$/u.test(text) ? Number(text) : null
}

/** Read a whole number of a query. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function readCount(query: Query, name: string, fallback: number, max: number): number {
  const text = query[name]
  if (text === undefined) return fallback
  const value = typeof text === 'string' && /^\d{1,15}$/u.test(text) ? Number(text) : 0
  if (value >= 1 && value <= max) return value
  const message = `must be a whole number from 1 to ${max}`
  throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: `?${name}`, message }] })
}
