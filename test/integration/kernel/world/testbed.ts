import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { connect as connectTcp } from 'node:net'
import path from 'node:path'
import websocket from '@fastify/websocket'
import { DuckDBInstance } from '@duckdb/node-api'
import {
  LabError,
  parseLine,
  rejectedMeasurement,
  routes,
  toProblem,
  type AuthTokenAdd,
  type SliceSpec,
  type Node,
  type Run,
  type User,
  type FieldValue,
  type Sliver as SliverObject,
} from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { spliceTunnel } from '../../../../server/src/tunnel/splice.ts'
import { aNode } from '../../../support/node-object.ts'
import { addData, type Archives } from './data.ts'
import { sliverObject } from './objects.ts'
import { addRuns } from './runs.ts'
import { authorize, startDropbear, type DropbearSliver } from './sliver.ts'

/** A small server for the kernel library, with real SSH behind its tunnel, real server-sent events and real Parquet. */
export interface World {
  readonly url: string
  readonly dir: string
  readonly slivers: readonly DropbearSliver[]
  /** The slivers as the server reports them. */
  readonly objects: readonly SliverObject[]
  /** The states of nodes, by name, that are not in production. */
  readonly nodeStates: Map<string, Node['state']>
  /** The latest time of the rows of a measurement that were removed, because the slice keeps no more. */
  readonly removed: Map<string, string>
  /** The number of connections to the tunnel so far. */
  tunnels: number
  /** Break every open tunnel. */
  breakTunnels(): void
  /** End every event stream, as a server does when it stops. */
  breakStreams(): void
  /** Change a sliver and report the change. */
  change(index: number, change: Partial<SliverObject>): void
  /** The nodes have made the slivers again, as they do after a reset of the slice. */
  remake(sliceInstanceSn: number): void
  /** Send an event on the event streams. */
  tell(event: object): void
  /** The runs of the testbed, by id. */
  readonly runs: Map<string, Run>
  /** The data archives that were uploaded, by SHA-256, in their order. */
  readonly uploads: string[]
  /** The number of times the slice was deleted. */
  releases: number
  /** Answer no request and no stream until this is called with false, as a server that hangs. */
  hang(isHanging: boolean): void
  close(): Promise<void>
}

interface Stream {
  write(text: string): void
  end(): void
}

/** Change a document before it is sent, as a newer server might. */
export type Rewrite = (document: unknown) => unknown

/** Start a world with this many slivers, on nodes n1, n2, … */
export async function startWorld(
  count: number,
  rewrite: Rewrite = (document) => document,
): Promise<World> {
  const dir = await mkdtemp('/var/tmp/kernel-')
  const homes = Array.from({ length: count }, (_, index) => path.join(dir, `s${index + 1}`))
  const slivers = await Promise.all(homes.map(startDropbear))
  const objects = slivers.map((sliver, index) => sliverObject(index + 1, sliver.hostKey))
  const streams = new Set<Stream>()
  const tunnels = new Set<() => void>()
  let eventId = 1
  let hanging: PromiseWithResolvers<null> | null = null
  const app = Fastify({ forceCloseConnections: true })
  await app.register(websocket)
  const world: World = {
    url: '',
    dir,
    slivers,
    objects,
    nodeStates: new Map(),
    removed: new Map(),
    tunnels: 0,
    releases: 0,
    uploads: [],
    runs: new Map(),
    hang(isHanging) {
      hanging = isHanging ? Promise.withResolvers<null>() : (hanging?.resolve(null), null)
    },
    breakTunnels: () => tunnels.forEach((cut) => cut()),
    breakStreams: () => streams.forEach((stream) => stream.end()),
    remake(sliceInstanceSn) {
      for (const [index, { actual }] of objects.entries())
        if (actual !== null)
          world.change(index, { actual: { ...actual, slice_instance_sn: sliceInstanceSn } })
    },
    change(index, change) {
      const object = { ...objects[index], ...change } as SliverObject
      objects[index] = object
      world.tell({ kind: 'sliver', action: 'updated', object_id: object.id, object })
    },
    tell(event) {
      const told = rewrite({ id: ++eventId, time: new Date().toISOString(), ...event })
      const text = `id: ${eventId}\nevent: change\ndata: ${JSON.stringify(told)}\n\n`
      streams.forEach((stream) => stream.write(text))
    },
    async close() {
      await app.close()
      await Promise.all(slivers.map((sliver) => sliver.stop()))
      await rm(dir, { recursive: true })
    },
  }
  app.addHook('onRequest', async () => {
    await hanging?.promise
  })
  app.addHook('preSerialization', (_request, _reply, document, done) => {
    done(null, rewrite(document))
  })
  const archives = addData(app, world.uploads)
  addObjects(app, world, { homes, archives })
  addRuns(app, { ...world, archives, tell: (event) => world.tell(event) })
  app.delete('/api/slices/1/', (_request, reply) => {
    world.releases++
    return reply.code(204).send()
  })
  addSamples(app, {
    ...{ dir, removed: world.removed },
    slivers,
    objects,
    streams,
    landedOf: new Map(),
    reading: Promise.resolve(),
  })
  app.get(routes.events, (_request, reply) => {
    openStream(reply.raw, streams).write(
      `id: ${eventId}\nevent: hello\ndata: {"id":${eventId}}\n\n`,
    )
    reply.hijack()
  })
  app.get<{ Params: { id: string } }>(
    '/api/slivers/:id/ctl/ssh',
    { websocket: true },
    (socket, request) => {
      world.tunnels++
      const sliver = slivers[Number(request.params.id.split('@')[1]) - 1]
      const port = connectTcp({
        port: sliver?.port ?? 0,
        host: '127.0.0.1',
        allowHalfOpen: true,
        noDelay: true,
      })
      const cut = (): void => socket.terminate()
      tunnels.add(cut)
      void spliceTunnel(socket, port).then(() => tunnels.delete(cut))
    },
  )
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return Object.assign(world, { url })
}

const aUser: User = {
  uri: '/api/users/1/',
  id: 1,
  name: 'ada',
  description: '',
  is_active: true,
  is_superuser: false,
  date_joined: '2026-01-01T00:00:00Z',
  group_roles: [],
}
const aQuota = { slices: 50, slivers: 1000, memory_mib: 131_072, disk_mib: 262_144 }

function addObjects(
  app: FastifyInstance,
  { objects, nodeStates }: World,
  { homes, archives }: { readonly homes: readonly string[]; readonly archives: Archives },
): void {
  let expiresOn = '2030-01-01T00:00:00Z'
  let instanceSn = 1
  const slice = () => ({
    uri: '/api/slices/1/',
    id: 1,
    name: 'first',
    description: '',
    group: { uri: '/api/groups/1/', id: 1 },
    expires_on: expiresOn,
    instance_sn: instanceSn,
    properties: {},
    set_state: 'start',
    sliver_defaults: { instance_sn: 1, template: null, set_state: 'start', resources: [] },
    slivers: objects.map(({ uri, id }) => ({ uri, id })),
  })
  app.setErrorHandler((error, _request, reply) => {
    const known = LabError.is(error) ? error : new LabError('LAB_INTERNAL', { what: String(error) })
    const problem = toProblem(known)
    void reply.code(problem.status).type('application/problem+json').send(problem)
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const right = request.headers.authorization === 'Bearer right'
    done(right ? undefined : new LabError('LAB_AUTH_INVALID_TOKEN', { reason: 'it is not known' }))
  })
  app.post<{ Body: AuthTokenAdd }>(routes.addAuthToken, async (request) => {
    await Promise.all(homes.map((home) => authorize(home, request.body.auth_token)))
    return { ...aUser, auth_tokens: [request.body.auth_token] }
  })
  app.put<{ Body: SliceSpec }>(routes.sliceEnsure, ({ body }) => {
    archives.require(body.data_sha256 ?? null)
    return { slice: slice(), slivers: objects }
  })
  const group = { uri: '/api/groups/1/', id: 1 }
  const flags = { is_group_admin: true, is_node_admin: false, is_slice_admin: false }
  app.get(routes.whoami, () => ({
    role: 'researcher',
    user: { ...aUser, group_roles: [{ group, ...flags }] },
    node: null,
  }))
  app.get(routes.groups, () => [
    {
      ...group,
      name: 'red',
      description: '',
      allow_nodes: true,
      allow_slices: true,
      quotas: aQuota,
      used: aQuota,
      agreement: null,
      user_roles: [{ user: { uri: '/api/users/1/', id: 1 }, ...flags }],
      nodes: [],
      slices: [],
    },
  ])
  app.get(routes.slices, () => [slice()])
  app.get(routes.slivers, () => objects)
  app.get('/api/slices/1/', slice)
  app.post('/api/slices/1/ctl/renew/', () => {
    expiresOn = '2031-01-01T00:00:00Z'
    return slice()
  })
  app.post('/api/slices/1/ctl/reset/', (_request, reply) => {
    instanceSn++
    return reply.code(202).send(slice())
  })
  app.get(routes.nodes, () =>
    objects.map(({ node: { id, name } }) => {
      const node = aNode(id, name)
      return { ...node, state: nodeStates.get(name) ?? node.state }
    }),
  )
}

interface Samples {
  readonly dir: string
  readonly removed: World['removed']
  readonly slivers: readonly DropbearSliver[]
  readonly objects: readonly SliverObject[]
  readonly streams: Set<Stream>
  /** When each line was seen first: its position in the order of landing, and its time in microseconds. */
  readonly landedOf: Map<string, { readonly landed: number; readonly time: number }>
  /** Resolves when no reader is active: two readers at once would mix the order of lines. */
  reading: Promise<unknown>
}

type Sample = Record<string, FieldValue | null>

/** Read what the slivers' programs have written so far, as a server does. */
function readSamples(samples: Samples): Promise<Map<string, Sample[]>> {
  const read = samples.reading.then(() => readLines(samples))
  samples.reading = read.catch(() => null)
  return read
}

async function readLines({ slivers, objects, landedOf }: Samples): Promise<Map<string, Sample[]>> {
  const tables = new Map<string, Sample[]>()
  for (const [index, sliver] of slivers.entries()) {
    const lines = (await readFile(sliver.measureFile, 'utf8')).split('\n').slice(0, -1)
    for (const [seq, line] of lines.entries()) {
      const parsed = parseSample(line)
      const rows = tables.get(parsed.name) ?? []
      tables.set(parsed.name, rows)
      const sliver = objects[index]?.id ?? ''
      const place = { node: `n${index + 1}`, node_id: index + 1, sliver, spool: `spool ${index}` }
      const key = `${index} ${seq}`
      const seen = landedOf.get(key) ?? { landed: landedOf.size + 1, time: Date.now() * 1000 }
      landedOf.set(key, seen)
      rows.push({ ...seen, ...place, seq, ...parsed.fields })
    }
  }
  return tables
}

/** Parse a line as a sample. An invalid line becomes a sample of `rejected`, as an agent makes it. */
function parseSample(line: string): { name: string; fields: Readonly<Record<string, FieldValue>> } {
  const parsed = parseLine(line)
  if (parsed.ok) return parsed
  return { name: rejectedMeasurement, fields: { line, lines: 1, reason: parsed.reason } }
}

function addSamples(app: FastifyInstance, samples: Samples): void {
  const { dir, streams, removed } = samples
  app.get(routes.measurements, async () =>
    [...(await readSamples(samples))].map(([name, rows]) => ({
      ...{ scope: 'slice-1', name, rows: rows.length, first_time: null, last_time: null },
      columns: Object.keys(rows[0] ?? {}).map((column) => ({ name: column, type: '', unit: null })),
      ...(removed.has(name) ? { removed: { rows: 1, last_time: removed.get(name) } } : {}),
    })),
  )
  app.get<{ Params: { name: string }; Querystring: { run?: string; follow?: string } }>(
    '/api/measurements/slice-1/:name/rows',
    (request, reply) => {
      const { name } = request.params
      const stream = openStream(reply.raw, streams)
      reply.hijack()
      const sent = new Set<unknown>()
      const after = Number(request.headers['last-event-id'] ?? 0)
      const tell = async (): Promise<void> => {
        const all = (await readSamples(samples)).get(name) ?? []
        const rows = all
          .filter((row) => row['run'] === request.query.run)
          .filter((row) => !sent.has(row['landed']) && (row['landed'] as number) > after)
        const inOrder = rows.sort((a, b) => Number(a['landed']) - Number(b['landed']))
        for (const row of inOrder) {
          sent.add(row['landed'])
          const batch = {
            columns: Object.keys(row),
            rows: [Object.values(row)],
            landed: row['landed'],
          }
          stream.write(`id: ${Number(row['landed'])}\ndata: ${JSON.stringify(batch)}\n\n`)
        }
      }
      if (request.query.follow === 'false')
        return void tell().then(() => {
          stream.write('event: end\ndata: {}\n\n')
          stream.end()
        })
      const timer = setInterval(() => void tell(), 50)
      reply.raw.once('close', () => clearInterval(timer))
    },
  )
  app.get<{ Params: { name: string }; Querystring: { run?: string } }>(
    '/api/measurements/slice-1/:name/parquet',
    async (request, reply) => {
      const rows = (await readSamples(samples)).get(request.params.name) ?? []
      const own = rows.filter((row) => [undefined, row['run']].includes(request.query.run))
      const file = path.join(dir, `${request.params.name}.parquet`)
      await writeParquet(own, { all: rows, file })
      return reply.type('application/vnd.apache.parquet').send(await readFile(file))
    },
  )
}

async function writeParquet(
  rows: readonly Sample[],
  { all, file }: { readonly all: readonly Sample[]; readonly file: string },
): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const json = JSON.stringify(rows)
    await connection.run('create table j as select $1::json as j', [json])
    const columns = [...new Set(all.flatMap((row) => Object.keys(row)))]
    const typeOf = (name: string): string => {
      const value = all.find((row) => row[name] !== undefined)?.[name]
      if (typeof value === 'boolean') return 'boolean'
      if (typeof value === 'string') return 'varchar'
      return all.every((row) => Number.isInteger(row[name] ?? 0)) ? 'bigint' : 'double'
    }
    const selected = columns.map((name) =>
      name === 'time'
        ? `make_timestamptz((r->>'time')::bigint) as time`
        : `(r->>'${name}')::${typeOf(name)} as "${name}"`,
    )
    await connection.run(
      `copy (select ${selected.join(', ')} from (select unnest(j::json[]) as r from j)) to '${file}' (format parquet)`,
    )
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

function openStream(raw: ServerResponse, streams: Set<Stream>): Stream {
  raw.writeHead(200, { 'content-type': 'text/event-stream' })
  raw.flushHeaders()
  const stream = { write: (text: string) => void raw.write(text), end: () => void raw.end() }
  streams.add(stream)
  void once(raw, 'close').then(() => streams.delete(stream))
  return stream
}
