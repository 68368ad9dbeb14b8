import { LabError } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isConfineClient } from '../confine/client.ts'
import { fulfils, readFilters, writeOutFilters, type Filter } from '../domain/filter.ts'
import { both, splitFilters, type Condition } from '../postgres/filter.ts'
import type { ListSource, Page } from '../registry/read/list-source.ts'
import { answerEndless } from './endless-list.ts'
import type { HeldTexts } from './held-texts.ts'
import type { WrittenList } from './kept-list.ts'
import { LargeList, largeListBatch, prepareLargeReply } from './large-list.ts'
import './limits.ts'
import { addLinks } from './links-header.ts'
import { readConfinePages, readPages, type Pages } from './pages.ts'
import { batchSize, readAll, readBatches } from './read-all.ts'

/** A list, and how it is answered. */
export interface Answering<T> {
  readonly source: ListSource<T>
  /** The texts of the objects, as the asking client gets them. */
  readonly kept?: KeptTexts | undefined
}

/** A list whose objects are kept as texts. */
export interface KeptTexts {
  /** Write a page from the texts of its objects. */
  readonly read: (page: Page) => Promise<WrittenList>
  readonly held: HeldTexts
}

/**
 * Answer a list as CONFINE does: whole objects, filtered by JSON pointers, and in pages when `page` or `per_page` is given, with Link headers to
 * the first, last, previous and next page. The database filters by members that have a column. The server filters the rest in batches. Lists that grow without
 * end are always answered in pages, see {@link answerEndless}. Others that are large are read while they are sent, see {@link LargeList}.
 *
 * @throws LabError LAB_REQUEST_UNKNOWN_FILTER, LAB_REQUEST_INVALID.
 */
export async function answerList<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { source, kept }: Answering<T>,
): Promise<readonly T[] | WrittenList | LargeList> {
  const { schema, columns, parameters = [], conditions = {} } = source
  const { endless } = source
  const others = [...parameters, ...Object.keys(conditions), ...(endless ? ['after'] : [])]
  const isConfine = isConfineClient(request)
  const given = request.query as Readonly<Record<string, unknown>>
  const query = isConfine ? writeOutFilters(given, schema, others) : given
  const filters = readFilters(query, schema, others)
  const split = splitFilters(filters, columns)
  const where = readConditions(query, conditions).reduce(both, split.where)
  const { rest } = split
  const pages = isConfine ? readConfinePages(query, source.atOnce) : readPages(query, source.atOnce)
  if (endless !== undefined)
    return answerEndless(request, reply, { source, endless, where, rest, pages })
  const read = kept?.read ?? source.read.bind(source)
  if (!pages.isPaged) {
    if (isConfine) addPageLinks(request, reply, { page: 1, last: 1 })
    if (rest.length === 0 && kept !== undefined) {
      const text = await kept.read({ where })
      // Without room, it is read while it is sent.
      return holdText(request, reply, { text, kept })
        ? text
        : openLarge(request, reply, { source, where, rest })
    }
    const small = await readSmall(source, where, rest)
    return small ?? openLarge(request, reply, { source, where, rest })
  }
  const { perPage, page: asked, isLastAtMost } = pages
  if (rest.length > 0) {
    const cut = await cutFiltered(readAll(source, where), rest, pages)
    addPageLinks(request, reply, cut)
    return cut.objects
  }
  const last = lastPage(await source.count(where), perPage)
  const page = isLastAtMost ? Math.min(asked, last) : asked
  addPageLinks(request, reply, { page, last })
  return page > last ? [] : read({ where, limit: perPage, offset: (page - 1) * perPage })
}

/** A longer text counts as an open stream of its reader, in bytes. */
const shortBytes = 1024 * 1024

/** Bound what a text takes of the memory until its reader has it. Returns false when there is no room for it. */
function holdText(
  request: FastifyRequest,
  reply: FastifyReply,
  { text: { bytes }, kept: { held } }: { readonly text: WrittenList; readonly kept: KeptTexts },
): boolean {
  if (!held.hold(reply.raw, bytes.length)) return false
  if (bytes.length > shortBytes) request.countAsStream(reply)
  return true
}

/** Read the objects that fulfil the filters; null when they are too many to be in memory for each reader. */
async function readSmall<T>(
  source: ListSource<T>,
  where: Condition,
  filters: readonly Filter[],
): Promise<readonly T[] | null> {
  const { atOnce = batchSize } = source
  if (filters.length === 0) {
    const all = await source.read({ where, limit: atOnce + 1 })
    return all.length > atOnce ? null : all
  }
  const found: T[] = []
  for await (const object of readAll(source, where)) {
    if (fulfils(object, filters)) found.push(object)
    if (found.length > atOnce) return null
  }
  return found
}

interface Large<T> {
  readonly source: ListSource<T>
  readonly where: Condition
  readonly rest: readonly Filter[]
}

async function openLarge<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { source, where, rest }: Large<T>,
): Promise<LargeList> {
  request.countAsStream(reply)
  prepareLargeReply(reply)
  // The version is read first: an object that changes after that is in a later version.
  const version = (await source.version?.()) ?? null
  const limit = Math.min(largeListBatch, source.atOnce ?? largeListBatch)
  return new LargeList(version, async function* batches() {
    for await (const batch of readBatches(source, where, limit))
      yield rest.length === 0 ? batch : batch.filter((object) => fulfils(object, rest))
  })
}

/** Return one page of the objects that fulfil the filters. */
async function cutFiltered<T>(
  objects: AsyncIterable<T>,
  filters: readonly Filter[],
  { perPage, page: asked, isLastAtMost }: Pages,
): Promise<{ readonly objects: readonly T[]; readonly page: number; readonly last: number }> {
  let found: readonly T[] = []
  let current: T[] = []
  let count = 0
  for await (const object of objects) {
    if (!fulfils(object, filters)) continue
    if (count % perPage === 0) current = []
    current.push(object)
    count++
    if (Math.ceil(count / perPage) === asked) found = current
  }
  const last = lastPage(count, perPage)
  if (asked <= last || !isLastAtMost) return { objects: found, page: asked, last }
  return { objects: current, page: last, last }
}

/** Read the conditions of a query that are not filters. Each costs the database much, so it is given once. @throws LabError LAB_REQUEST_INVALID. */
function readConditions(
  query: Readonly<Record<string, unknown>>,
  conditions: NonNullable<ListSource<unknown>['conditions']>,
): readonly Condition[] {
  return Object.entries(conditions).flatMap(([name, read]) => {
    const given = query[name]
    if (given === undefined) return []
    if (typeof given === 'string') return [read(given)]
    const issues = [{ pointer: `?${name}`, message: 'must be given once' }]
    throw new LabError('LAB_REQUEST_INVALID', { issues })
  })
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
