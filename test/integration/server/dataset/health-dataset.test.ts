import { createHash } from 'node:crypto'
import { cp, readdir, readFile, truncate } from 'node:fs/promises'
import { join, resolve } from 'node:path'
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
  isCut: false,
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
  options: { nowMs?: number; keep?: TelemetryStoreOptions['keep']; isCut?: boolean } = {},
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
      recorded: () => Promise.resolve([{ ...states, isCut: options.isCut ?? false }]),
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
    format: 2,
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

const midnight = Date.parse('2026-05-05T00:00:00Z')

/** Returns what stores a sample of a node with a value, or what it knows of its clock, at a time that it tells, in seconds after the end of the day. */
function teller(store: TelemetryStore) {
  const seqs = new Map<number, number>()
  return (nodeId: number, what: { load?: number; atS: number; offsetS?: number }) => {
    const { load = 0, atS, offsetS } = what
    const seq = (seqs.get(nodeId) ?? 0) + 1
    seqs.set(nodeId, seq)
    const clock = { offset_s: offsetS ?? 0, error_s: 0.01, drift_ratio: 0, drift_error_ratio: 0 }
    return store.append({
      ...{ nodeId, node: `n${nodeId}`, spool: spool.replace('1', String(nodeId)) },
      samples: [
        {
          ...{ seq, timeUs: (midnight + atS * 1000) * 1000, scope: 'node', sliver: null },
          ...(offsetS === undefined
            ? { name: 'node_health', fields: { load1: load } }
            : { name: 'clock', fields: { ...clock, wall_s: 0, epoch: 1, boot_id: 'a' } }),
        },
      ],
    })
  }
}

it('has the server’s time of each sample, and each in its day by that, once, also of clocks that are off and of samples that come later', async () => {
  await using world = await startDataset()
  const { dataset, clock, dir, open } = world
  const told = teller(world.store)
  const read = async (of: string) => {
    const file = tableOf(dataset.manifest(of), 'node_health')?.file ?? ''
    const rows = await rowsOf(
      join(dir, of, file),
      `select load1::integer as load, (epoch_ms(time) - ${midnight})::double / 1000 as at, (epoch_ms(time_node) - ${midnight})::double / 1000 as told, round(time_error_s, 6)::double as error`,
    )
    return rows.map(({ load, at, told: node, error }) => [load, at, node, error])
  }
  // The first node is two seconds ahead, the second an hour behind; nobody knows the clock of the third.
  await told(1, { atS: -60, offsetS: -2 })
  await told(1, { load: 2, atS: -1 })
  await told(1, { load: 3, atS: 1 })
  await told(1, { load: 4, atS: 3 })
  await told(2, { atS: -90_010, offsetS: 3600 })
  await told(2, { load: 12, atS: -90_001 })
  await told(2, { load: 13, atS: -86_400 })
  await told(2, { load: 14, atS: -3601 })
  await told(2, { load: 15, atS: -3599 })
  await told(3, { load: 21, atS: -5 })
  await dataset.publish(never)
  const known = 0.01
  const first = [
    [2, -3, -1, known],
    [3, -1, 1, known],
    [13, -82_800, -86_400, known],
    [14, -1, -3601, known],
    [21, -5, -5, null],
  ]
  expect(await read(day)).toEqual(first)
  const { clock_margin_s: marginS, version } = dataset.manifest(day) ?? {}
  expect([marginS, version]).toEqual([3601, 1])

  // What is of the next day, though its node tells a time of this one, makes no new version.
  await told(2, { load: 16, atS: -3590 })
  await dataset.publish(never)
  expect(dataset.manifest(day)?.version).toBe(1)
  // What is of this one does, though its node tells a time of the next.
  await told(1, { load: 5, atS: 1.5 })
  await dataset.publish(never)
  expect(dataset.manifest(day)).toMatchObject({ version: 2, clock_margin_s: 3601 })
  expect(await read(day)).toEqual([first[0], first[1], [5, -0.5, 1.5, known], ...first.slice(2)])

  // The next day has the rest. What this one left to it stays with it, also where more is known of the clock then: each is in one.
  await told(2, { atS: -3598.5, offsetS: 3597 })
  await told(1, { load: 6, atS: 1.9 })
  clock.nowMs += 86_400_000
  await dataset.publish(never)
  const next = (await read('2026-05-05')).map(([load]) => load)
  expect(next).toEqual([4, 15, 16])
  expect((await read(day)).map(([load]) => load)).toEqual([2, 3, 5, 6, 13, 14, 21])
  const again = await open()
  await again.publish(never)
  expect(again.days()).toEqual(dataset.days())
})

it('keeps days that an older server has published, and adds to them what comes later', async () => {
  const old = '2026-11-23'
  await using world = await startDataset({ nowMs: Date.parse('2026-11-24T00:31:00Z') })
  const { dir, open } = world
  const told = teller(world.store)
  const source = resolve(import.meta.dirname, '../../../../datasets/node-health', old)
  await cp(source, join(dir, old), { recursive: true })
  const dataset = await open()
  const before = dataset.manifest(old)
  expect([before?.format, before?.version]).toEqual([1, 1])
  const rows = tableOf(before, 'node_health')?.rows ?? 0
  const atS = (Date.parse(`${old}T18:00:00Z`) - midnight) / 1000
  await told(1, { load: 1_000_000, atS: atS - 1, offsetS: 4 })
  await told(1, { load: 1_000_001, atS })
  await dataset.publish(never)
  const manifest = dataset.manifest(old)
  expect(manifest).toMatchObject({ format: 2, version: 2 })
  const file = join(dir, old, tableOf(manifest, 'node_health')?.file ?? '')
  expect(
    await rowsOf(
      file,
      `select count(*)::integer as n, count(*) filter (time = time_node and time_error_s is null)::integer as as_before, max(epoch_ms(time - time_node)::integer) as ms`,
    ),
  ).toEqual([{ n: rows + 1, as_before: rows, ms: 4000 }])
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

it('says where the states of a period are too many to be given whole', async () => {
  await using world = await startDataset({ isCut: true })
  await measure(world.store, 1, [1, 2])
  await world.dataset.publish(never)
  expect(tableOf(world.dataset.manifest(day), 'node_states')?.help).toMatch(
    /The day has more than the 1 rows here\.$/u,
  )
  await using app = Fastify()
  useContractSchemas(app)
  await app.register(problemPlugin)
  datasetRoutes(app, world.dataset)
  const answer = await app.inject({ method: 'GET', url: '/api/datasets/node-health/recorded' })
  expect(answer.statusCode).toBe(400)
  expect(answer.body).toContain('the period has more than 200000 rows of node_states; ask for a')
})
