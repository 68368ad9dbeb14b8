import { LabError } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { fulfils, readFilters } from './filter.ts'

const maxPerPage = 1_000
const defaultPerPage = 100

/**
 * Answer a list as CONFINE does: whole objects, filtered by JSON pointers, and in pages when `page` or `per_page` is given, with Link headers to
 * the first, last, previous and next.
 *
 * @throws {@link LabError} LAB_REQUEST_UNKNOWN_FILTER, LAB_REQUEST_INVALID.
 */
export function answerList<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { schema, objects }: { readonly schema: TSchema; readonly objects: readonly T[] },
): readonly T[] {
  const query = request.query as Readonly<Record<string, unknown>>
  const filters = readFilters(query, schema)
  const selected = objects.filter((object) => fulfils(object, filters))
  if (query['page'] === undefined && query['per_page'] === undefined) return selected
  const perPage = readCount(query, 'per_page', defaultPerPage, maxPerPage)
  const page = readCount(query, 'page', 1, Number.MAX_SAFE_INTEGER)
  const last = Math.max(1, Math.ceil(selected.length / perPage))
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
  return selected.slice((page - 1) * perPage, page * perPage)
}

/** Add Link headers to those that are there. */
export function addLinks(reply: FastifyReply, links: readonly string[]): void {
  const before = reply.getHeader('link')
  const all = [...(typeof before === 'string' ? [before] : []), ...links]
  void reply.header('link', all.join(', '))
}

function readCount(
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
