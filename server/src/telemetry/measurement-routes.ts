import {
  firstWriter,
  LabError,
  maybeRowCursor,
  Measurement,
  routes,
  RowBatch,
  type RowCursor,
  rowCursorPattern,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import '../decorations.ts'
import { askerOf } from '../http/asker.ts'
import { readTimeMs } from '../http/period.ts'
import { endWhenStalled, trackStreams } from '../http/streams.ts'
import { permitScope, permittedScopes } from './access.ts'
import { isName } from './domain/name.ts'
import { createFileLimit } from './file-limit.ts'
import { openParquet } from './parquet-file.ts'
import { streamRows } from './row-stream.ts'
import { createSharedRows } from './shared-rows.ts'
import type { TelemetryStore } from './store.ts'

const tags = ['measurements']
/** The most rows in one event. */
const maxEventRows = 5_000

const Place = Type.Object({ scope: Type.String(), name: Type.String() })
type Place = Type.Static<typeof Place>
const Cursor = Type.String({ pattern: rowCursorPattern })
const Run = Type.String({ maxLength: 256 })

const ListQuery = Type.Object({
  scope: Type.Optional(Type.String({ description: '`node`, or `slice-<id>`', maxLength: 64 })),
})
const RowsQuery = Type.Object({
  after: Type.Optional({
    ...Cursor,
    description:
      'the id of the last event that is known; or a number, the `landed` of the last row',
  }),
  run: Type.Optional(Run),
  follow: Type.Optional({
    ...Type.Enum(['true', 'false'] as const),
    description: 'false: the rows that there are, and then an event `end`',
  }),
})
const ParquetQuery = Type.Object({
  run: Type.Optional(Run),
  after: Type.Optional({ ...Cursor, description: 'the last row that is known, by its `landed`' }),
  from: Type.Optional(Type.String({ description: 'RFC 3339; the first time kept' })),
  to: Type.Optional(Type.String({ description: 'RFC 3339; the first time no longer kept' })),
  up_to: Type.Optional({ ...Cursor, description: 'the last row that is wanted, by its `landed`' }),
  since: Type.Optional(
    Type.String({
      description:
        "RFC 3339; leaves out rows that the server had more than a minute before. Unlike `from`, it does not depend on the nodes' clocks",
    }),
  ),
})

/** Routes for reading samples: the list of measurements, rows as they are committed, and files. Needs `app.registry` and `request.principal`. */
export function measurementRoutes(
  app: FastifyInstance,
  { store, dir }: { readonly store: TelemetryStore; readonly dir: string },
): void {
  const streams = trackStreams(app)
  const rows = createSharedRows(store)
  const files = createFileLimit()
  app.get<{ Querystring: Type.Static<typeof ListQuery> }>(
    routes.measurements,
    {
      config: { right: 'read samples' },
      schema: {
        tags,
        summary: 'List the measurements that may be read',
        querystring: ListQuery,
        response: { 200: Type.Array(Measurement) },
      },
    },
    async ({ principal, query: { scope } }) => {
      if (scope !== undefined) await permitScope(app.registry, principal, scope)
      const all = await store.list()
      const asked = scope === undefined ? all : all.filter((each) => each.scope === scope)
      const scopes = asked.map((each) => each.scope)
      const permitted = await permittedScopes(app.registry, principal, scopes)
      return asked.filter((each) => permitted.has(each.scope))
    },
  )
  app.get<{ Params: Place; Querystring: Type.Static<typeof RowsQuery> }>(
    pathOf(routes.measurementRows),
    {
      config: { right: 'read samples', stream: true },
      schema: {
        tags,
        summary: 'Rows as they land, as server-sent events, from Last-Event-ID (or ?after=) on',
        produces: ['text/event-stream'],
        params: Place,
        querystring: RowsQuery,
        response: { 200: RowBatch },
      },
    },
    async (request, reply) => {
      const { params, query, principal, headers } = request
      await permitScope(app.registry, principal, params.scope)
      checkName(params)
      const lastId = headers['last-event-id']
      const known = typeof lastId === 'string' ? maybeRowCursor(lastId) : null
      const cursor = known ?? readCursor(query.after)
      const asked = { ...params, run: query.run ?? null, limit: maxEventRows }
      const { signal } = streams
      const follows = query.follow !== 'false'
      await streams.track(streamRows(reply, { rows, request: asked, cursor, follows, signal }))
    },
  )
  app.get<{ Params: Place; Querystring: Type.Static<typeof ParquetQuery> }>(
    pathOf(routes.measurementParquet),
    {
      config: { right: 'read samples' },
      schema: {
        tags,
        summary:
          'The rows as a Parquet file, in the order of landing: the rows of one spool by `seq`',
        produces: ['application/vnd.apache.parquet'],
        params: Place,
        querystring: ParquetQuery,
      },
    },
    async (request, reply) => {
      const { params, query, principal } = request
      await permitScope(app.registry, principal, params.scope)
      checkName(params)
      const run = query.run ?? null
      const fromUs = readTimeUs('from', query.from)
      const toUs = readTimeUs('to', query.to)
      const sinceUs = readTimeUs('since', query.since)
      const after = readCursor(query.after).get(firstWriter) ?? 0
      const upTo =
        query.up_to === undefined ? null : (readCursor(query.up_to).get(firstWriter) ?? 0)
      const reader = askerOf(request)
      const isAnonymous = principal.tokenId === null
      const range = { run, fromUs, toUs, sinceUs, after, upTo }
      const asked = { ...params, ...range, reader, isAnonymous, dir }
      const file = await files.open(request, (signal) => openParquet(store, { ...asked, signal }))
      if (file === null) {
        const there = (await store.list()).filter((each) => each.scope === params.scope)
        const known = there.map((each) => each.name)
        throw new LabError('LAB_MEASUREMENT_UNKNOWN', { ...params, known })
      }
      endWhenStalled(reply.raw)
      return reply
        .type('application/vnd.apache.parquet')
        .header('content-length', file.bytes)
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="${params.name}.parquet"`)
        .send(file.stream)
    },
  )
}

function pathOf(route: string): string {
  return route.replaceAll(/\{(\w+)\}/gu, ':$1')
}

function notFound({ scope, name }: Place): LabError {
  return new LabError('LAB_NOT_FOUND', { kind: 'measurement', id: `${scope}/${name.slice(0, 64)}` })
}

/** Refuse a name that is not allowed. It will never have rows, so waiting for them is useless. */
function checkName(place: Place): void {
  if (!isName(place.name)) throw notFound(place)
}

/** Read a cursor whose form was checked; what is none has read nothing. */
function readCursor(text = '0'): RowCursor {
  return maybeRowCursor(text) ?? new Map()
}

/** Read a time. Returns microseconds since the epoch, at a resolution of 1 ms; null when there is none. */
function readTimeUs(name: string, text: string | undefined): number | null {
  const timeMs = readTimeMs(name, text)
  return timeMs === null ? null : timeMs * 1000
}
