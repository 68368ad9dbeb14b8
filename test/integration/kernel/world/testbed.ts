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
  routes,
  toProblem,
  type AuthTokenAdd,
  type FieldValue,
  type Sliver as SliverObject,
  type SliverState,
} from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { spliceTunnel } from '../../../../server/src/tunnel/splice.ts'
import { authorize, startDropbear, type DropbearSliver } from './sliver.ts'

/** A small server with real SSH behind its tunnel, real server-sent events and real Parquet: what the kernel library talks to. */
export interface World {
  readonly url: string
  readonly dir: string
  readonly slivers: readonly DropbearSliver[]
  /** How often a connection to the tunnel was made. */
  tunnels: number
  /** Break every tunnel that is open. */
  breakTunnels(): void
  /** End every stream of events, as a server does that goes away. */
  breakStreams(): void
  /** Change what a sliver is, and tell of it. */
  change(index: number, change: Partial<Pick<SliverObject, 'state' | 'errors' | 'actual'>>): void
  close(): Promise<void>
}

interface Stream {
  write(text: string): void
  end(): void
}

/** Start it with so many slivers, on nodes n1, n2, … */
export async function startWorld(count: number): Promise<World> {
  const dir = await mkdtemp('/var/tmp/kernel-')
  const homes = Array.from({ length: count }, (_, index) => path.join(dir, `s${index + 1}`))
  const slivers = await Promise.all(homes.map(startDropbear))
  const objects = slivers.map((sliver, index) => sliverObject(index + 1, sliver.hostKey))
  const streams = new Set<Stream>()
  const tunnels = new Set<() => void>()
  let eventId = 1
  const app = Fastify({ forceCloseConnections: true })
  await app.register(websocket)
  const world: World = {
    url: '',
    dir,
    slivers,
    tunnels: 0,
    breakTunnels: () => tunnels.forEach((cut) => cut()),
    breakStreams: () => streams.forEach((stream) => stream.end()),
    change(index, change) {
      const object = { ...objects[index], ...change } as SliverObject
      objects[index] = object
      const event = {
        id: ++eventId,
        time: new Date().toISOString(),
        kind: 'sliver',
        action: 'updated',
        object_id: object.id,
        object,
      }
      const text = `id: ${eventId}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`
      streams.forEach((stream) => stream.write(text))
    },
    async close() {
      await app.close()
      await Promise.all(slivers.map((sliver) => sliver.stop()))
      await rm(dir, { recursive: true })
    },
  }
  addObjects(app, objects, homes)
  addSamples(app, { dir, slivers, objects, streams, landedOf: new Map() })
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

function addObjects(app: FastifyInstance, objects: SliverObject[], homes: readonly string[]): void {
  const slice = () => ({
    uri: '/api/slices/1/',
    id: 1,
    name: 'first',
    description: '',
    group: { uri: '/api/groups/1/', id: 1 },
    expires_on: '2030-01-01T00:00:00Z',
    instance_sn: 1,
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
    const group = { uri: '/api/groups/1/', id: 1 }
    const keys = [request.body.auth_token]
    return { uri: '/api/users/1/', id: 1, name: 'ada', group, auth_tokens: keys }
  })
  app.put(routes.sliceEnsure, () => ({ slice: slice(), slivers: objects }))
  app.get(routes.slices, () => [slice()])
  app.get(routes.slivers, () => objects)
  app.delete('/api/slices/1/', (_request, reply) => reply.code(204).send())
}

interface Samples {
  readonly dir: string
  readonly slivers: readonly DropbearSliver[]
  readonly objects: readonly SliverObject[]
  readonly streams: Set<Stream>
  /** When each line was seen first: the order of landing. */
  readonly landedOf: Map<string, number>
}

type Sample = Record<string, FieldValue | null>

/** What the slivers' programs have written until now, as a server has it. */
async function readSamples({
  slivers,
  objects,
  landedOf,
}: Samples): Promise<Map<string, Sample[]>> {
  const tables = new Map<string, Sample[]>()
  for (const [index, sliver] of slivers.entries()) {
    const lines = (await readFile(sliver.measureFile, 'utf8')).split('\n').slice(0, -1)
    for (const [seq, line] of lines.entries()) {
      const parsed = parseLine(line)
      if (!parsed.ok) throw new Error(`${parsed.reason}: ${line}`)
      const rows = tables.get(parsed.name) ?? []
      tables.set(parsed.name, rows)
      const place = { node: `n${index + 1}`, sliver: objects[index]?.id ?? '' }
      const key = `${index} ${seq}`
      const landed = landedOf.get(key) ?? landedOf.size + 1
      landedOf.set(key, landed)
      rows.push({ time: Date.now() * 1000, ...place, seq, landed, ...parsed.fields })
    }
  }
  return tables
}

function addSamples(app: FastifyInstance, samples: Samples): void {
  const { dir, streams } = samples
  app.get(routes.measurements, async () =>
    [...(await readSamples(samples))].map(([name, rows]) => ({
      scope: 'slice-1',
      name,
      columns: Object.keys(rows[0] ?? {}).map((column) => ({ name: column, type: '', unit: null })),
      rows: rows.length,
      first_time: null,
      last_time: null,
    })),
  )
  app.get<{ Params: { name: string }; Querystring: { run?: string; after?: string } }>(
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
          stream.write(`id: ${String(row['landed'])}\ndata: ${JSON.stringify(batch)}\n\n`)
        }
      }
      const timer = setInterval(() => void tell(), 50)
      reply.raw.once('close', () => clearInterval(timer))
    },
  )
  app.get<{ Params: { name: string }; Querystring: { run?: string } }>(
    '/api/measurements/slice-1/:name/parquet',
    async (request, reply) => {
      const rows = (await readSamples(samples)).get(request.params.name) ?? []
      const own = rows.filter((row) => row['run'] === request.query.run)
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
        ? `make_timestamp((r->>'time')::bigint) as time`
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

function sliverObject(nodeId: number, hostKey: string): SliverObject {
  const id = `1@${nodeId}`
  const state: SliverState = 'started'
  return {
    uri: `/api/slivers/${id}/`,
    id,
    slice: { uri: '/api/slices/1/', id: 1 },
    node: { uri: `/api/nodes/${nodeId}/`, id: nodeId, name: `n${nodeId}` },
    description: '',
    instance_sn: 1,
    template: null,
    set_state: null,
    effective_set_state: 'start',
    properties: {},
    resources: [],
    interfaces: [],
    mgmt_net: { backend: 'tinc', addr: 'fd65::1' },
    state,
    state_changed_on: null,
    actual: {
      id,
      nr: 1,
      state,
      slice_instance_sn: 1,
      instance_sn: 1,
      // Every sliver answers on this machine's own address: what is probed is real.
      interfaces: [{ nr: 3, name: 'pub1', type: 'public6', mac_addr: '', ipv6_addr: '::1' }],
      ssh_host_key: hostKey,
      started_on: null,
      errors: [],
    },
    errors: [],
  }
}
