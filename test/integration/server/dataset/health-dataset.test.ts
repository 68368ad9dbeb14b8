import { createHash } from 'node:crypto'
import { readdir, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import Fastify from 'fastify'
import { expect, it } from 'vitest'
import type { HealthManifest } from '@community-lab/contract'
import { openHealthDataset } from '../../../../server/src/dataset/publisher.ts'
import type { Recorded } from '../../../../server/src/dataset/recorded.ts'
import { problemPlugin } from '../../../../server/src/http/problems.ts'
import { useContractSchemas } from '../../../../server/src/http/validate.ts'
import { datasetRoutes } from '../../../../server/src/route/datasets.ts'
import type {
  TelemetryStore,
  TelemetryStoreOptions,
} from '../../../../server/src/telemetry/store.ts'
import { makeFolder, openStore, spool } from '../telemetry/world.ts'

const day = '2026-05-04'
const noon = Date.parse(`${day}T12:00:00Z`)
const nextDay = Date.parse('2026-05-05T00:31:00Z')
const never = new AbortController().signal

const states: Recorded = {
  name: 'node_states',
  columns: [
    ['time', 'TIMESTAMP WITH TIME ZONE'],
    ['node', 'VARCHAR'],
    ['to_time', 'TIMESTAMP WITH TIME ZONE'],
  ],
  rows: [[new Date(noon), 'n1', new Date(noon + 1000)]],
}

/** Store samples of a node, one a second from noon on. */
function measure(store: TelemetryStore, nodeId: number, seqs: readonly number[]) {
  const samples = seqs.map((seq) => ({
    seq,
    timeUs: (noon + seq * 1000) * 1000,
    scope: 'node',
    name: 'node_health',
    sliver: null,
    fields: { load1: seq / 4 },
  }))
  return store.append({
    nodeId,
    node: `n${nodeId}`,
    spool: spool.replace('1', String(nodeId)),
    samples,
  })
}

async function startDataset(
  options: { nowMs?: number; keep?: TelemetryStoreOptions['keep'] } = {},
) {
  const folder = await makeFolder()
  const store = await openStore(join(folder.dir, 'store'), {
    compactEveryMs: null,
    ...(options.keep === undefined ? {} : { keep: options.keep }),
  })
  const clock = { nowMs: options.nowMs ?? nextDay }
  const dir = join(folder.dir, 'dataset')
  const open = (bounds: { maxBytes?: number } = {}) =>
    openHealthDataset({
      dir,
      store,
      recorded: () => Promise.resolve([states]),
      software: 'Community-Lab test',
      now: () => clock.nowMs,
      ...bounds,
    })
  return {
    store,
    clock,
    dir,
    open,
    dataset: await open(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function rowsOf(file: string, sql: string) {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  return (await connection.runAndReadAll(`${sql} from '${file}'`)).getRowObjectsJson()
}

const tableOf = (manifest: HealthManifest | null, name: string) =>
  manifest?.tables.find((table) => table.name === name)

it('publishes a day that has ended, each table sorted, with a manifest that is true', async () => {
  await using world = await startDataset({ nowMs: nextDay - 120_000 })
  const { store, dataset, clock, dir } = world
  await measure(store, 2, [1, 2, 3])
  await measure(store, 1, [1, 2])
  await dataset.publish(never)
  expect(dataset.days()).toEqual([])

  clock.nowMs = nextDay
  await dataset.publish(never)
  const manifest = dataset.manifest(day)
  expect(manifest).toMatchObject({
    format: 1,
    day,
    version: 1,
    revisions: [],
    licence: 'CC-BY-4.0',
  })
  const table = tableOf(manifest, 'node_health')
  expect(table).toMatchObject({ rows: 5 })
  expect(table?.columns).toContainEqual({
    name: 'memory_total_bytes',
    type: 'DOUBLE',
    unit: 'bytes',
  })
  for (const { file, sha256, bytes } of manifest?.tables ?? []) {
    const content = await readFile(join(dir, day, file))
    expect(createHash('sha256').update(content).digest('hex')).toBe(sha256)
    expect(content.length).toBe(bytes)
  }
  const file = join(dir, day, table?.file ?? '')
  expect(
    (await rowsOf(file, 'select node, seq::integer as seq')).map(({ node, seq }) => [node, seq]),
  ).toEqual(
    [['n1', 1], ['n1', 2], ['n2', 1], ['n2', 2], ['n2', 3]], // prettier-ignore
  )
  const stateFile = join(dir, day, tableOf(manifest, 'node_states')?.file ?? '')
  expect(await rowsOf(stateFile, 'select node, epoch_ms(time)::double as at')).toEqual([
    { node: 'n1', at: noon },
  ])
  const names = await readdir(join(dir, day))
  expect(names.sort()).toEqual(
    ['manifest.json', ...(manifest?.tables ?? []).map((each) => each.file)].sort(),
  )
})

it('publishes a day once, and anew with what came later, of which the manifest tells', async () => {
  await using world = await startDataset()
  const { store, dataset, clock, open } = world
  await measure(store, 1, [1, 2])
  await dataset.publish(never)
  const first = dataset.manifest(day)
  await dataset.publish(never)
  expect(dataset.manifest(day)).toBe(first)

  clock.nowMs += 1_000
  await measure(store, 1, [3])
  await dataset.publish(never)
  const second = dataset.manifest(day)
  expect(second).toMatchObject({
    version: 2,
    revisions: [
      {
        version: 1,
        written_on: first?.written_on,
        reason: 'rows that came later: node_health 1',
      },
    ],
  })
  expect(tableOf(second, 'node_health')?.rows).toBe(3)
  // Another server reads what this one has published.
  expect((await open()).manifest(day)).toEqual(second)
})

it('adds what came later to what is published, also where the store has removed that', async () => {
  await using world = await startDataset({ keep: { sliceBytes: 1, nodeBytes: 1 } })
  const { store, dataset, clock, dir } = world
  await measure(store, 1, [1, 2])
  await dataset.publish(never)
  const published = tableOf(dataset.manifest(day), 'node_health')
  // It waits until nothing more comes, moves the rows to a file, and removes that.
  let removed = 0
  for (let round = 0; round < 3; round++)
    removed += (await store.compact(nextDay + 86_400_000)).removed
  expect(removed).toBe(1)
  await measure(store, 1, [3])
  clock.nowMs += 1_000
  await dataset.publish(never)
  const table = tableOf(dataset.manifest(day), 'node_health')
  expect([published?.rows, table?.rows]).toEqual([2, 3])
  const rows = await rowsOf(join(dir, day, table?.file ?? ''), 'select seq::integer as seq')
  expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3])
})

it('begins a day again that was not published to its end, and one whose files are damaged', async () => {
  await using world = await startDataset()
  const { store, dataset, dir, open } = world
  await measure(store, 1, [1, 2])
  const killed = new AbortController()
  killed.abort(new Error('the server stops'))
  await dataset.publish(killed.signal).catch(() => undefined)
  expect(dataset.days()).toEqual([])
  await dataset.publish(never)
  const table = tableOf(dataset.manifest(day), 'node_health')
  await truncate(join(dir, day, table?.file ?? ''), 10)
  const next = await open()
  expect(next.manifest(day)).toBeNull()
  await next.publish(never)
  expect(tableOf(next.manifest(day), 'node_health')?.rows).toBe(2)
})

it('removes the oldest days when they take more disk than they may, and does not publish them again', async () => {
  await using world = await startDataset({ nowMs: nextDay + 86_400_000 })
  await measure(world.store, 1, [1, 2, 86_400, 86_401])
  await world.dataset.publish(never)
  expect(world.dataset.days().map((each) => each.day)).toEqual(['2026-05-04', '2026-05-05'])
  const bytes = world.dataset.days().reduce((sum, each) => sum + each.bytes, 0)
  const bounded = await world.open({ maxBytes: bytes - 1 })
  for (let round = 0; round < 2; round++) {
    await bounded.publish(never)
    expect(bounded.days().map((each) => each.day)).toEqual(['2026-05-05'])
  }
  expect(await readdir(world.dir)).not.toContain('2026-05-04')
})

it('is read by everybody, in parts, and kept by caches', async () => {
  await using world = await startDataset()
  await measure(world.store, 1, [1, 2])
  await world.dataset.publish(never)
  await using app = Fastify()
  useContractSchemas(app)
  await app.register(problemPlugin)
  datasetRoutes(app, world.dataset)
  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ method: 'GET', url, headers })
  const days = (await get('/api/datasets/node-health/')).json<readonly { manifest: string }[]>()
  expect(days).toMatchObject([{ day, version: 1, rows: 3 }])
  const manifest = (await get(days[0]?.manifest ?? '')).json<HealthManifest>()
  const table = tableOf(manifest, 'node_health')
  const url = `/api/datasets/node-health/${day}/${table?.file ?? ''}`
  const whole = await get(url)
  expect(whole.rawPayload.length).toBe(table?.bytes)
  expect(whole.headers).toMatchObject({
    etag: `"${table?.sha256 ?? ''}"`,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  })
  const end = await get(url, { range: 'bytes=-4' })
  expect([end.statusCode, end.body]).toEqual([206, 'PAR1'])
  expect((await get(url, { 'if-none-match': `"${table?.sha256 ?? ''}"` })).statusCode).toBe(304)
  const beyond = await get(url, { range: 'bytes=9999999-' })
  expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([
    416,
    `bytes */${table?.bytes ?? 0}`,
  ])
  for (const missing of ['2026-05-03/manifest.json', `${day}/other.parquet`, '..%2f..%2fx/y'])
    expect((await get(`/api/datasets/node-health/${missing}`)).statusCode).toBe(404)
})
