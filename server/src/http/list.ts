import { LabError } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fulfils, readFilters } from '../domain/filter.ts'
import { both, splitFilters, type Condition } from '../postgres/filter.ts'
import type { ListSource } from '../registry/read/list-source.ts'

/** The most objects on a page. */
export const maxPerPage = 1_000
/** The objects on a page unless `per_page` says otherwise. */
export const defaultPerPage = 100
/** The number of objects in one query when the database cannot filter. */
export const batchSize = 1_000

/**
 * Answer a list as CONFINE does: whole objects, filtered by JSON pointers, and in pages when `page` or `per_page` is given, with Link headers to
 * the first, last, previous and next page. The database filters by members that have a column. The server filters the rest in batches.
 *
 * @throws {@link LabError} LAB_REQUEST_UNKNOWN_FILTER, LAB_REQUEST_INVALID.
 */
export async function answerList<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ListSource<T>,
): Promise<readonly T[]> {
  const query = request.query as Readonly<Record<string, unknown>>
  const { schema, columns, parameters = [], conditions = {} } = source
  const filters = readFilters(query, schema, [...parameters, ...Object.keys(conditions)])
  const split = splitFilters(filters, columns)
  const where = readConditions(query, conditions).reduce(both, split.where)
  const { rest } = split
  const isPaged =
    source.isAlwaysPaged === true || query['page'] !== undefined || query['per_page'] !== undefined
  const perPage = readCount(query, 'per_page', defaultPerPage, maxPerPage)
  const page = readCount(query, 'page', 1, Number.MAX_SAFE_INTEGER)
  const from = isPaged ? (page - 1) * perPage : 0
  const to = isPaged ? from + perPage : Infinity

  if (rest.length > 0) {
    const found: T[] = []
    let count = 0
    for await (const object of readAll(source, where)) {
      if (!fulfils(object, rest)) continue
      if (count >= from && count < to) found.push(object)
      count++
    }
    if (isPaged) addPageLinks(request, reply, { page, last: lastPage(count, perPage) })
    return found
  }
  if (!isPaged) return source.read({ where })
  const last = lastPage(await source.count(where), perPage)
  addPageLinks(request, reply, { page, last })
  return page > last ? [] : source.read({ where, limit: perPage, offset: from })
}

/** Read the conditions of a query that are not filters. */
function readConditions(
  query: Readonly<Record<string, unknown>>,
  conditions: NonNullable<ListSource<unknown>['conditions']>,
): readonly Condition[] {
  return Object.entries(conditions).flatMap(([name, read]) => {
    const given = query[name]
    if (given === undefined) return []
    const texts: readonly unknown[] = Array.isArray(given) ? given : [given]
    return texts.map((text) => read(String(text)))
  })
}

/** Add Link headers to the present ones. */
export function addLinks(reply: FastifyReply, links: readonly string[]): void {
  const before = reply.getHeader('link')
  const all = [...(typeof before === 'string' ? [before] : []), ...links]
  void reply.header('link', all.join(', '))
}

/**
 * Read all objects in batches. Each batch begins after the last object of the one before, so that no object is left out or repeated when others are added
 * and removed meanwhile.
 */
export async function* readAll<T>(source: ListSource<T>, where: Condition): AsyncGenerator<T> {
  let rest = where
  for (;;) {
    const batch = await source.read({ where: rest, limit: batchSize })
    yield* batch
    const last = batch.at(-1)
    if (last === undefined || batch.length < batchSize) return
    rest = both(where, source.after(last))
  }
}

function lastPage(count: number, perPage: number): number {
  return Math.max(1, Math.ceil(count / perPage))
}

function addPageLinks(
  request: FastifyRequest,
  reply: FastifyReply,
  { page, last }: { readonly page: number; readonly last: number },
): void {
  const link = (rel: string, number: number): string => {
    const url = new URL(request.url, 'http://server')
    url.searchParams.set('page', String(number))
    return `<${url.pathname}${url.search}>; rel="${rel}"`
  }
  addLinks(reply, [
    link('first', 1),
    link('last', last),
    ...(page > 1 ? [link('prev', Math.min(page - 1, last))] : []),
    ...(page < last ? [link('next', page + 1)] : []),
  ])
}

/** Read a whole number of a query. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function readCount(
  query: Readonly<Record<string, unknown>>,
  name: string,
  fallback: number,
  max: number,
): number {
  const text = query[name]
  if (text === undefined) return fallback
  const value = typeof text === 'string' && /^\d{1,15}$/u.test(text) ? Number(text) : 0
  if (value >= 1 && value <= max) return value
  const message = `must be a whole number from 1 to ${max}`
  throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: `?${name}`, message }] })
}
