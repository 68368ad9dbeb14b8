import { createHash, randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  path,
  routes,
  type NodeTarget,
  type Slice,
  type SliceWithSlivers,
  type Sliver,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uploadWhole } from '../../../../server/src/upload/whole.ts'
import { aSliverReport, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const first = gzipSync('the first archive')
const second = zstdCompressSync('the second archive')
const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex')
const red = 2
const uri = (body: Buffer, groupId = red): string =>
  path(routes.groupData, { id: groupId, hash: sha256(body) })
const octets = { 'content-type': 'application/octet-stream' }
const slice = path(routes.slice, { id: 1 })

const put = (world: TestbedWorld, url: string, body: Buffer | Readable, token = world.red) =>
  world.ask(token, 'PUT', url, { body, headers: octets })

async function ensure(world: TestbedWorld, changes: object = {}) {
  const body = { name: 'mine', template: 'tiny', nodes: ['n1', 'n2'], ...changes }
  const answer = await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  return answer.json<SliceWithSlivers & { code?: string; detail?: string; details?: object }>()
}

/** The data in the targets of the two nodes. */
function targets(world: TestbedWorld): Promise<readonly unknown[]> {
  const reading = world.nodes.map(async (token, index) => {
    const url = path(routes.nodeTarget, { id: index + 1 })
    const target = (await world.ask(token, 'GET', url)).json<NodeTarget>()
    return target.slivers[0]?.data?.sha256 ?? null
  })
  return Promise.all(reading)
}

const files = ({ dataDir }: TestbedWorld) => readdir(join(dataDir, 'data-archives'))
/** Let this many minutes pass, as far as archives are concerned. */
const age = ({ database: { db } }: TestbedWorld, minutes: number) =>
  sql`update data_archives set named_on = named_on - make_interval(mins => ${minutes})`.execute(db)

describe('a slice with a data archive', () => {
  it('is refused until the archive is uploaded, and asks for it last of all', async () => {
    await using world = await testbeds.start()
    const data = { data_sha256: sha256(first) }
    const tooMuch = { ...data, resources: [{ name: 'memory', req: 100_000 }] }
    expect(await ensure(world, tooMuch)).toMatchObject({ code: 'LAB_SLICE_NO_CAPACITY' })
    expect(await ensure(world, data)).toMatchObject({
      code: 'LAB_DATA_UNKNOWN',
      details: { group: 'red', sha256: sha256(first), uri: uri(first) },
    })
    expect((await put(world, uri(first), first)).json()).toEqual({
      uri: uri(first),
      sha256: sha256(first),
      size_bytes: first.length,
      group: { uri: '/api/groups/2/', id: 2 },
    })
    const made = await ensure(world, data)
    expect(made.slice.sliver_defaults).toMatchObject({
      data_uri: uri(first),
      data_sha256: sha256(first),
    })
    expect(made.slivers[0]).toMatchObject({ data_uri: null, data_sha256: null })
    expect(await targets(world)).toEqual([sha256(first), sha256(first)])
  })

  it('loses its slivers by other data only when that is allowed; without a word about data it keeps it', async () => {
    await using world = await testbeds.start()
    await put(world, uri(first), first)
    await put(world, uri(second), second)
    const { slivers } = await ensure(world, { data_sha256: sha256(first) })
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    const seen = world.context.feed.range()
    expect((await ensure(world)).slice.sliver_defaults.data_sha256).toBe(sha256(first))
    expect(world.context.feed.range()).toEqual(seen)
    const change = { data_sha256: sha256(second) }
    const refused = await ensure(world, change)
    expect(refused.code).toBe('LAB_SLICE_WOULD_LOSE')
    expect(refused.detail).toContain(`its data becomes ${sha256(second).slice(0, 12)}`)
    const allowed = await ensure(world, { ...change, may_lose: 'slivers' })
    expect(allowed.slivers.map(({ instance_sn: sn }) => sn)).toEqual(
      slivers.map(({ instance_sn: sn }) => sn + 1),
    )
    const none = await ensure(world, { data_sha256: null, may_lose: 'slivers' })
    expect(none.slice.sliver_defaults).toMatchObject({ data_uri: null, data_sha256: null })
  })

  it('makes slivers again that were made before the data which it is to have', async () => {
    await using world = await testbeds.start()
    const { slivers } = await ensure(world)
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    await world.report(2, { slivers: [aSliverReport('1@2')] })
    await put(world, path(routes.sliceUploadData, { id: 1 }), first)
    await put(world, path(routes.sliverUploadData, { id: '1@2' }), second)
    const numbers = ({ slivers: now }: SliceWithSlivers) => now.map(({ instance_sn: sn }) => sn)
    const before = slivers.map(({ instance_sn: sn }) => sn)
    // Who says nothing about data changes nothing, as before.
    expect(numbers(await ensure(world))).toEqual(before)
    const data = { data_sha256: sha256(first) }
    const refused = await ensure(world, data)
    expect(refused).toMatchObject({ code: 'LAB_SLICE_WOULD_LOSE', details: { count: 1 } })
    expect(refused.detail).toContain(
      `its data was changed to ${sha256(first).slice(0, 12)} after it was made`,
    )
    const again = await ensure(world, { ...data, may_lose: 'slivers' })
    expect(numbers(again)).toEqual([(before[0] ?? 0) + 1, before[1]])
    const seen = world.context.feed.range()
    expect(numbers(await ensure(world, data))).toEqual(numbers(again))
    expect(world.context.feed.range()).toEqual(seen)
  })

  it('makes no sliver again that its node made with the same data, whatever was set in between', async () => {
    await using world = await testbeds.start()
    await put(world, uri(first), first)
    await put(world, uri(second), second)
    const [a, b] = [sha256(first), sha256(second)]
    const { slivers } = await ensure(world, { nodes: ['n1'], data_sha256: a })
    const set = (data: string | null) =>
      world.ask(world.red, 'PATCH', slice, { body: { sliver_defaults: { data_sha256: data } } })
    const sn = slivers[0]?.instance_sn ?? 0
    const report = (data: string) =>
      world.report(1, { slivers: [aSliverReport('1@1', { instance_sn: sn, data_sha256: data })] })
    await report(a)
    await set(b)
    await set(a)
    const same = await ensure(world, { nodes: ['n1'], data_sha256: a })
    expect(same.slivers[0]?.instance_sn).toBe(sn)
    await set(b)
    expect(await ensure(world, { nodes: ['n1'], data_sha256: a })).toMatchObject({
      slice: { sliver_defaults: { data_sha256: a } },
      slivers: [{ instance_sn: sn }],
    })
    // The node has taken up the other data, as it does when it makes the sliver again by itself.
    await report(b)
    const refused = await ensure(world, { nodes: ['n1'], data_sha256: a })
    expect(refused.detail).toContain(
      `its data becomes ${a.slice(0, 12)} instead of ${b.slice(0, 12)}`,
    )
    // What it reports is of the sliver before its update.
    const remade = await ensure(world, { nodes: ['n1'], data_sha256: a, may_lose: 'slivers' })
    expect(await ensure(world, { nodes: ['n1'], data_sha256: a })).toMatchObject({
      slivers: [{ instance_sn: remade.slivers[0]?.instance_sn }],
    })
  })

  it('gets another by its function, which slivers have from their next update on; a sliver may have its own', async () => {
    await using world = await testbeds.start()
    const { slivers } = await ensure(world)
    const upload = path(routes.sliceUploadData, { id: 1 })
    const changed = (await put(world, upload, first)).json<Slice>()
    expect(changed.sliver_defaults.data_sha256).toBe(sha256(first))
    const own = await put(world, path(routes.sliverUploadData, { id: '1@2' }), second)
    expect(own.json()).toMatchObject({ id: '1@2', data_uri: uri(second) })
    expect(await targets(world)).toEqual([sha256(first), sha256(second)])
    const now = (await world.ask(null, 'GET', routes.slivers)).json<Sliver[]>()
    expect(now.map(({ instance_sn: sn }) => sn)).toEqual(slivers.map(({ instance_sn: sn }) => sn))
    const back = await world.ask(world.red, 'PATCH', path(routes.sliver, { id: '1@2' }), {
      body: { data_uri: null },
    })
    expect(back.json()).toMatchObject({ data_uri: null, data_sha256: null })
    expect(await targets(world)).toEqual([sha256(first), sha256(first)])
  })

  it('is set by URI or SHA-256 to an archive of its own group alone', async () => {
    await using world = await testbeds.start()
    await ensure(world)
    await put(world, uri(first), first)
    await put(world, uri(second, 3), second, world.blue)
    const set = async (defaults: object) => {
      const body = { sliver_defaults: defaults }
      const answer = await world.ask(world.red, 'PATCH', slice, { body })
      return answer.json<Slice & { code?: string }>()
    }
    const shown = async (defaults: object) => (await set(defaults)).sliver_defaults.data_uri
    expect(await shown({ data_uri: `https://testbed.example/lab${uri(first)}` })).toBe(uri(first))
    expect(await shown({ data_uri: '', data_sha256: '' })).toBe(null)
    expect(await shown({ data_sha256: sha256(first) })).toBe(uri(first))
    expect(await shown({ set_state: 'start' })).toBe(uri(first))
    for (const [defaults, code] of [
      [{ data_uri: 'http://192.168.1.1/x.tgz', data_sha256: sha256(first) }, 'LAB_DATA_FOREIGN'],
      [{ data_uri: uri(second, 3) }, 'LAB_DATA_FOREIGN'],
      [{ data_sha256: sha256(second) }, 'LAB_DATA_UNKNOWN'],
      [{ data_uri: uri(first), data_sha256: sha256(second) }, 'LAB_REQUEST_INVALID'],
    ] as const)
      expect(await set(defaults)).toMatchObject({ code })
    const body = { name: 'other', sliver_defaults: { data_sha256: sha256(second) } }
    const other = await world.ask(world.red, 'POST', routes.slices, { body })
    expect(other.json()).toMatchObject({ code: 'LAB_DATA_UNKNOWN' })
  })
})

describe('a data archive', () => {
  it('is read by its group and by nodes with slivers of it, whole or from a byte on', async () => {
    await using world = await testbeds.start()
    await put(world, uri(first), first)
    await ensure(world, { nodes: ['n1'], data_sha256: sha256(first) })
    const read = async (token: string | null, headers = {}) =>
      world.ask(token, 'GET', uri(first), { headers })
    const askers = [null, world.blue, world.red, world.operator, ...world.nodes]
    const statuses = await Promise.all(askers.map(async (asker) => (await read(asker)).statusCode))
    expect(statuses).toEqual([401, 403, 200, 200, 200, 403])
    expect((await read(world.red)).rawPayload).toEqual(first)
    const rest = await read(world.red, { range: 'bytes=5-' })
    expect([rest.statusCode, rest.headers['content-range'], rest.rawPayload]).toEqual([
      206,
      `bytes 5-${first.length - 1}/${first.length}`,
      first.subarray(5),
    ])
    const beyond = await read(world.red, { range: `bytes=${first.length}-` })
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([
      416,
      `bytes */${first.length}`,
    ])
    expect((await world.ask(world.red, 'GET', uri(second))).json()).toMatchObject({
      code: 'LAB_NOT_FOUND',
    })
  })

  it('is taken whole or not at all: with the SHA-256 of its path, and as an archive', async () => {
    await using world = await testbeds.start()
    await ensure(world)
    const cut = async function* () {
      yield await Promise.resolve(first.subarray(0, 5))
      throw new Error('the connection is gone')
    }
    const upload = path(routes.sliceUploadData, { id: 1 })
    const plainText = Buffer.from('plain text '.repeat(50))
    for (const [url, body, code] of [
      [uri(second), first, 'LAB_UPLOAD_CHECKSUM'],
      [uri(plainText), plainText, 'LAB_REQUEST_MEDIA_TYPE'],
      [upload, Buffer.from('x'), 'LAB_REQUEST_MEDIA_TYPE'],
    ] as const)
      expect((await put(world, url, body)).json()).toMatchObject({ code })
    const large = { ...octets, 'content-length': String(2 ** 30 + 1) }
    const refused = await world.ask(world.red, 'PUT', upload, { headers: large })
    expect(refused.json()).toMatchObject({ code: 'LAB_REQUEST_TOO_LARGE' })
    const withoutLength = await put(world, upload, Readable.from([first]))
    expect(withoutLength.json()).toMatchObject({ code: 'LAB_UPLOAD_NO_LENGTH' })
    const archive = {
      ...{ target: 'data', owner: 'red', ownerInWords: 'group red' },
      ...{ sha256: null, lengthBytes: first.length },
      requireRoom: () => Promise.resolve(),
    }
    const body = { body: Readable.from(cut()), use: () => Promise.reject(new Error('used')) }
    const taking = uploadWhole(world.context.uploads, archive, body)
    await expect(taking).rejects.toMatchObject({ code: 'LAB_UPLOAD_BROKEN_OFF' })
    expect(await files(world)).toEqual([])
    expect(await readdir(join(world.dataDir, 'uploads'))).toEqual([])
  })

  it('is removed when it was named by no slice for an hour, and its file with its last archive', async () => {
    await using world = await testbeds.start()
    const { dataFiles } = world.context
    await put(world, uri(first), first)
    await put(world, uri(first, 3), first, world.blue)
    await put(world, uri(second), second)
    await ensure(world, { data_sha256: sha256(second) })
    await writeFile(join(world.dataDir, 'data-archives', 'f'.repeat(64)), 'of nobody')
    await dataFiles.removeUnnamed()
    const both = [sha256(first), sha256(second)].sort()
    expect((await files(world)).sort()).toEqual(both)
    await age(world, 61)
    // Blue names it now.
    const body = { name: 'blue', sliver_defaults: { data_sha256: sha256(first) } }
    expect((await world.ask(world.blue, 'POST', routes.slices, { body })).statusCode).toBe(201)
    await dataFiles.removeUnnamed()
    expect((await files(world)).sort()).toEqual(both)
    expect((await world.ask(world.red, 'GET', uri(first))).statusCode).toBe(404)
    // The hour begins when the slice ends.
    await world.ask(world.red, 'DELETE', slice)
    await dataFiles.removeUnnamed()
    expect(await files(world)).toContain(sha256(second))
    await age(world, 61)
    await dataFiles.removeUnnamed()
    expect(await files(world)).toEqual([sha256(first)])
  })

  it('fits into what its group may have: archives that nobody names give way', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    await put(world, uri(first), first)
    await ensure(world, { data_sha256: sha256(first) })
    await sql`update data_archives set size_bytes = ${4 * 2 ** 30 - 10}`.execute(db)
    const full = await put(world, uri(second), second)
    expect(full.json()).toMatchObject({
      code: 'LAB_DATA_QUOTA',
      details: { group: 'red', what: 'MiB of data archives', limit: 4096, used: 4096 },
    })
    await ensure(world, { data_sha256: null, may_lose: 'slivers' })
    expect((await put(world, uri(second), second)).json()).toMatchObject({ code: 'LAB_DATA_QUOTA' })
    await age(world, 11)
    expect((await put(world, uri(second), second)).statusCode).toBe(200)
    await sql`insert into data_archives select 2, 'x' || nr, 1 from generate_series(1, 199) nr`.execute(
      db,
    )
    const third = gzipSync(randomBytes(8))
    expect((await put(world, uri(third), third)).json()).toMatchObject({
      details: { what: 'data archives', limit: 200, used: 200 },
    })
  })

  it('has its size reserved before its first byte, beside others that its group is sending', async () => {
    await using world = await testbeds.start()
    const begun = Promise.withResolvers<null>()
    const goOn = Promise.withResolvers<null>()
    const slow = async function* () {
      yield first.subarray(0, 5)
      begun.resolve(null)
      await goOn.promise
      yield first.subarray(5)
    }
    const headers = { ...octets, 'content-length': String(first.length) }
    const body = Readable.from(slow())
    const sending = world.ask(world.red, 'PUT', uri(first), { headers, body })
    await begun.promise
    const db = world.database.db
    const leftBytes = first.length + second.length - 1
    await sql`insert into data_archives values (2, 'x', ${4 * 2 ** 30 - leftBytes})`.execute(db)
    expect((await put(world, uri(second), second)).json()).toMatchObject({ code: 'LAB_DATA_QUOTA' })
    expect((await put(world, uri(second, 3), second, world.blue)).statusCode).toBe(200)
    goOn.resolve(null)
    expect((await sending).statusCode).toBe(200)
  })
})
