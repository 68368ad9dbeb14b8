import {
  JournalEntry,
  NodeAvailability,
  NodeInterval,
  NodeLastReport,
  routes,
  SliverAvailability,
  SliverInterval,
  SliverLastReport,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type TSchema } from 'typebox'
import { found } from '../domain/found.ts'
import { sharesOf, type Interval, type Period, type Shares } from '../domain/history.ts'
import { AfterQuery } from '../http/endless-list.ts'
import { addLinks } from '../http/links-header.ts'
import { answerList } from '../http/list.ts'
import { defaultPerPage, maxPerPage, readCount } from '../http/pages.ts'
import { PeriodQuery, readPeriod } from '../http/period.ts'
import { readNodeTimes, readSliverTimes, type StateTime } from '../registry/read/availability.ts'
import {
  readNodeHistory,
  readSliverHistory,
  type HistoryPart,
  type LimitedPeriod,
} from '../registry/read/history.ts'
import { listJournal, readJournal } from '../registry/read/journal.ts'
import { readNodeReport, readSliverReport } from '../registry/read/last-report.ts'
import { readNode } from '../registry/write/nodes.ts'
import { readSliver } from '../registry/write/slivers.ts'
import { numericId, pattern, type RouteContext } from './context.ts'
import { readRoute } from './read-route.ts'

const right = 'read the testbed'

/** What the server knows over time: last reports, states of the past, availability, and the journal of slivers. */
export function historyRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  readRoute(app, {
    url: pattern(routes.nodeState),
    right,
    tags: ['nodes'],
    summary: 'Read the last report of a node',
    schema: NodeLastReport,
    read: (request) => readNodeReport(registry, numericId(request, 'node')),
  })
  readRoute(app, {
    url: pattern(routes.sliverState),
    right,
    tags: ['slivers'],
    summary: 'Read the last report of a sliver',
    schema: SliverLastReport,
    read: (request) => readSliverReport(registry, request.params.id),
  })
  pastRoutes(app, {
    history: pattern(routes.nodeHistory),
    availability: pattern(routes.nodeAvailability),
    tags: ['nodes'],
    what: 'a node',
    interval: NodeInterval,
    shares: NodeAvailability,
    serving: 'production',
    async find(request) {
      const { id } = await readNode(registry, numericId(request, 'node'))
      return {
        states: (period) => readNodeHistory(registry, id, period),
        times: (period) => readNodeTimes(registry, id, period),
      }
    },
  })
  pastRoutes(app, {
    history: pattern(routes.sliverHistory),
    availability: pattern(routes.sliverAvailability),
    tags: ['slivers'],
    what: 'a sliver',
    interval: SliverInterval,
    shares: SliverAvailability,
    serving: 'started',
    async find({ params }) {
      const { slice, node } = await readSliver(registry, params.id)
      const at = { sliceId: slice.id, nodeId: node.id }
      return {
        states: (period) => readSliverHistory(registry, at, period),
        times: (period) => readSliverTimes(registry, at, period),
      }
    },
  })
  journalRoutes(app, registry)
}

function journalRoutes(app: FastifyInstance, registry: RouteContext['registry']): void {
  const tags = ['journal']
  app.get<{ Querystring: PeriodQuery }>(
    routes.journal,
    {
      config: { right, heavy: true },
      schema: {
        tags,
        summary: 'List which slivers ran where, newest first, in pages; filters as of every list',
        querystring: Type.Object({ ...PeriodQuery.properties, ...AfterQuery.properties }),
        response: { 200: Type.Array(JournalEntry) },
      },
    },
    (request, reply) => {
      const { from, to } = request.query
      const period = from === undefined && to === undefined ? null : readPeriod(request.query)
      return answerList(request, reply, { source: listJournal(registry, period) })
    },
  )
  readRoute(app, {
    url: pattern(routes.journalEntry),
    right,
    tags,
    summary: 'Read an entry of the journal',
    schema: JournalEntry,
    async read(request) {
      const id = numericId(request, 'journal entry')
      return found((await readJournal(registry.db, { ids: [id] }))[0], 'journal entry', id)
    },
  })
}

type PastRequest = FastifyRequest<{ Params: { id: string }; Querystring: PeriodQuery }>

interface PastRoutes<S extends string> {
  readonly history: string
  readonly availability: string
  readonly tags: string[]
  readonly what: string
  readonly interval: TSchema
  readonly shares: TSchema
  /** The state in which it is available. */
  readonly serving: NoInfer<S>
  /** Find what the request names, and return what reads its past. */
  readonly find: (request: PastRequest) => Promise<Past<S>>
}

interface Past<S extends string> {
  readonly states: (period: LimitedPeriod) => Promise<HistoryPart<S>>
  readonly times: (period: Period) => Promise<readonly StateTime<S>[]>
}

/** Add the routes of the past of one kind: its states, and how long it was in each. */
function pastRoutes<S extends string>(app: FastifyInstance, past: PastRoutes<S>): void {
  const { tags, what, find, serving } = past
  app.get<{ Params: { id: string }; Querystring: PeriodQuery }>(
    past.history,
    {
      config: { right, heavy: true },
      schema: {
        tags,
        summary: `List the states of ${what} in a period; a link leads to the next part`,
        querystring: HistoryQuery,
        response: { 200: Type.Array(past.interval) },
      },
    },
    async (request, reply) => {
      const period = readPeriod(request.query)
      const limit = readCount(request.query, 'per_page', defaultPerPage, maxPerPage)
      const part = await (await find(request)).states({ ...period, limit })
      if (part.nextMs !== null) linkNext(request, reply, { fromMs: part.nextMs, toMs: period.toMs })
      return part.intervals.map(showInterval)
    },
  )
  app.get<{ Params: { id: string }; Querystring: PeriodQuery }>(
    past.availability,
    {
      config: { right, heavy: true },
      schema: {
        tags,
        summary: `How long ${what} was in each state within a period`,
        querystring: PeriodQuery,
        response: { 200: past.shares },
      },
    },
    async (request) => {
      const period = readPeriod(request.query)
      const times = await (await find(request)).times(period)
      return { ...showPeriod(period), ...showShares(sharesOf<S>(times, { period, serving })) }
    },
  )
}

const HistoryQuery = Type.Object({
  ...PeriodQuery.properties,
  per_page: Type.Optional(Type.String({ description: `1 to ${maxPerPage}; default 100` })),
})

function linkNext(request: PastRequest, reply: FastifyReply, rest: Period): void {
  const url = new URL(request.url, 'http://server')
  for (const [name, time] of Object.entries(showPeriod(rest))) url.searchParams.set(name, time)
  addLinks(reply, [`<${url.pathname}${url.search}>; rel="next"`])
}

function showPeriod({ fromMs, toMs }: Period): { readonly from: string; readonly to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}

function showInterval<S extends string>({ state, reason, ...period }: Interval<S>) {
  return { ...showPeriod(period), state, reason }
}

function showShares({ times, knownMs, availability }: Shares<string>) {
  return {
    seconds: times.map(({ state, ms }) => ({ state, seconds: ms / 1000 })),
    known_s: knownMs / 1000,
    availability,
  }
}
