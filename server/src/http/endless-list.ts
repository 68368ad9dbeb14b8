import { LabError } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { fulfils, type Filter } from '../domain/filter.ts'
import { both, type Condition } from '../postgres/filter.ts'
import type { Endless, ListSource } from '../registry/read/list-source.ts'
import { addLinks } from './links-header.ts'
import { readCount, type Pages } from './pages.ts'
import { readAll } from './read-all.ts'

/** The parameter of the links to the next page. */
export const AfterQuery = Type.Object({
  after: Type.Optional(
    Type.String({
      pattern: String.raw`^\d{1,15}$`,
      description: 'the id after which the page begins; the link to the next page has it',
    }),
  ),
})

/** The most objects that one request looks at when the database cannot filter. The link to the next page continues after them. */
const mostExamined = 10_000
/** The most objects before a page that is asked for by its number. The database goes through them one by one. */
const mostSkipped = 10_000

/** What a request asks of a list that grows without end. */
export interface EndlessAsked<T> {
  readonly source: ListSource<T>
  readonly endless: Endless<T>
  readonly where: Condition
  /** The filters that the database cannot apply. */
  readonly rest: readonly Filter[]
  readonly pages: Pages
}

/**
 * Answer a page of a list that grows without end. It is not counted, and its next page begins after the id of its last object. So the work for a page does not
 * grow with the list. With filters that the database cannot apply, a page may have fewer objects than were asked for, or none, and a next page all the same.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID for a page far from the first.
 */
export async function answerEndless<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { source, endless, where, rest, pages: { page, perPage } }: EndlessAsked<T>,
): Promise<readonly T[]> {
  const query = request.query as Readonly<Record<string, unknown>>
  const skip = (page - 1) * perPage
  if (skip > mostSkipped) {
    const message = `must be at most ${1 + Math.floor(mostSkipped / perPage)} in this list; the links lead from page to page without end`
    throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '?page', message }] })
  }
  const after = query['after'] === undefined ? null : readCount(query, 'after', 1, maxId)
  const part = {
    where: after === null ? where : both(where, endless.after(after)),
    limit: perPage + 1,
    offset: skip,
  }
  const { objects, lastId } =
    rest.length === 0
      ? cut(await source.read(part), { perPage, endless })
      : await search(readAll(source, part.where), { rest, skip, perPage, endless })
  const link = (rel: string, values: Readonly<Record<string, number>>): string => {
    const url = new URL(request.url, 'http://server')
    for (const name of ['page', 'after']) url.searchParams.delete(name)
    for (const [name, value] of Object.entries(values)) url.searchParams.set(name, String(value))
    return `<${url.pathname}${url.search}>; rel="${rel}"`
  }
  addLinks(reply, [
    link('first', {}),
    ...(lastId === null ? [] : [link('next', { after: lastId })]),
  ])
  return objects
}

const maxId = Number.MAX_SAFE_INTEGER

interface PagePart<T> {
  readonly objects: readonly T[]
  /** The id after which the next page begins; null: this is the last one. */
  readonly lastId: number | null
}

interface CutOptions<T> {
  readonly perPage: number
  readonly endless: Endless<T>
}

/** Make a page of objects that are one more than a page has, when there are more. */
function cut<T>(found: readonly T[], { perPage, endless }: CutOptions<T>): PagePart<T> {
  const objects = found.slice(0, perPage)
  const last = objects.at(-1)
  const isLast = last === undefined || found.length <= perPage
  return { objects, lastId: isLast ? null : endless.idOf(last) }
}

interface SearchOptions<T> extends CutOptions<T> {
  readonly rest: readonly Filter[]
  readonly skip: number
}

async function search<T>(
  all: AsyncIterable<T>,
  { rest, skip, perPage, endless }: SearchOptions<T>,
): Promise<PagePart<T>> {
  const found: T[] = []
  let skipped = 0
  let examined = 0
  let lastId: number | null = null
  for await (const object of all) {
    if (found.length === perPage || examined === mostExamined) return { objects: found, lastId }
    examined += 1
    lastId = endless.idOf(object)
    if (!fulfils(object, rest)) continue
    if (skipped < skip) skipped += 1
    else found.push(object)
  }
  return { objects: found, lastId: null }
}
