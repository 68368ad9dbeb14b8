import {
  HealthManifest,
  LabError,
  PublishedDay,
  RecordedTable,
  routes,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { HealthDataset } from '../dataset/publisher.ts'
import { maxRecordedRows } from '../dataset/recorded.ts'
import { PeriodQuery, readPeriod } from '../http/period.ts'
import { sendFile } from '../http/send-file.ts'
import { namesEtag } from '../registry/etag.ts'
import { pattern } from './context.ts'

const tags = ['datasets']
const right = 'read the testbed'
const type = 'application/vnd.apache.parquet'

/** A file never changes, because its name contains its checksum. */
const immutable = 'public, max-age=31536000, immutable'

type OfDay = FastifyRequest<{ Params: { day: string; file: string } }>

/** The public dataset of node health: its days, their manifests and files. Everybody may read them. */
export function datasetRoutes(app: FastifyInstance, dataset: HealthDataset): void {
  app.get(
    routes.healthDays,
    {
      config: { right },
      schema: {
        tags,
        summary: 'List the published days of node health, in order; today is in the measurements',
        response: { 200: Type.Array(PublishedDay) },
      },
    },
    () => dataset.days(),
  )
  app.get(
    routes.healthRecorded,
    {
      config: { right, heavy: true },
      schema: {
        tags,
        summary:
          'The states of nodes and the use of slivers in a period, also of days that are not published yet',
        querystring: PeriodQuery,
        response: { 200: Type.Array(RecordedTable) },
      },
    },
    async ({ query }: FastifyRequest<{ Querystring: PeriodQuery }>) => {
      const tables = await dataset.recorded(readPeriod(query))
      for (const { name, isCut } of tables) if (isCut) throw tooLong(name)
      return tables.map(({ name, columns, rows }) => ({
        name,
        columns: columns.map(([column, type]) => ({ name: column, type })),
        rows: rows.map((row) =>
          row.map((value) => (value instanceof Date ? value.toISOString() : value)),
        ),
      }))
    },
  )
  app.get(
    pattern(routes.healthManifest),
    {
      config: { right },
      schema: {
        tags,
        summary: 'The manifest of a day: its tables with columns, units, checksums; its versions',
        response: { 200: HealthManifest },
      },
    },
    ({ params: { day } }: OfDay) =>
      dataset.manifest(day) ?? Promise.reject(notFound('day of node health', day)),
  )
  app.get(
    pattern(routes.healthFile),
    {
      config: { right },
      schema: {
        tags,
        summary: 'A Parquet file of a day; the manifest has its name. Takes Range',
        produces: [type],
      },
    },
    async (request: OfDay, reply) => {
      const { day, file: name } = request.params
      const found = dataset.file(day, name)
      if (found === null) throw notFound('file of node health', `${day}/${name}`)
      const { sha256 } = found.table
      const etag = `"${sha256}"`
      void reply.headers({ etag, 'cache-control': immutable })
      const known = request.headers['if-none-match']
      if (known !== undefined && namesEtag(known, etag)) return reply.code(304).send()
      return sendFile(request, reply, { file: found.path, etag: sha256, type })
    },
  )
}

function notFound(kind: string, id: string): LabError {
  return new LabError('LAB_NOT_FOUND', { kind, id: id.slice(0, 96) })
}

function tooLong(table: string): LabError {
  const message = `the period has more than ${maxRecordedRows} rows of ${table}; ask for a shorter one`
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '?from', message }] })
}
