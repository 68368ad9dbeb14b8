import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { startApp } from './app.ts'
import {
  allRows,
  aSample,
  fromNode,
  makeFolder,
  openStore,
  randomText,
  readAll,
  samples,
} from './world.ts'
import type { TelemetryStore } from '../../../../server/src/telemetry/store.ts'
import { eventually } from '../../../support/eventually.ts'

const everything = { ...allRows, scope: 'node', name: 'cpu' }

describe('a slice beyond its quota', () => {
  it('is told in one row how many samples were not kept, and its node goes on', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, { quota: { rowsPerHour: 3 } })
    const ofSlice = { scope: 'slice-3', name: 'rtt', sliver: '3@1' }
    const outcome = await store.append(fromNode([...samples(1, 10, ofSlice), aSample(11)]))
    expect(outcome).toEqual({ committedSeq: 11, missingSeq: null })
    expect(await readAll(store, 'rtt', 'slice-3')).toHaveLength(3)
    expect(await readAll(store, 'rejected', 'slice-3')).toMatchObject([
      { seq: 10, sliver: '3@1', lines: 7, line: 'rtt busy_ratio=5' },
    ])
    expect(await readAll(store, 'cpu')).toHaveLength(1)
  })

  it('is told of what a run has lost before the row of its end, which says where its rows end', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, { quota: { rowsPerHour: 10 } })
    const ofSlice = { scope: 'slice-3', sliver: '3@1' }
    const end = (seq: number, run: string) =>
      aSample(seq, { ...ofSlice, name: 'run_end', fields: { run } })
    const lines = (from: number, to: number) => samples(from, to, { ...ofSlice, name: 'rtt' })
    await store.append(
      fromNode([...lines(1, 17), end(18, 'first'), ...lines(19, 21), end(22, 'second')]),
    )
    const ends = await readAll(store, 'run_end', 'slice-3')
    const told = await readAll(store, 'rejected', 'slice-3')
    expect(
      [...ends, ...told].sort((one, other) => Number(one['landed']) - Number(other['landed'])),
    ).toMatchObject([{ lines: 7 }, { run: 'first' }, { lines: 3 }, { run: 'second' }])
  })
})

it('remembers a few spools of a node, so that one that names another with each message fills nothing', async () => {
  await using folder = await makeFolder()
  const bounds = { spoolsPerNode: 3 }
  const of = (name: string, nodeId = 1) => ({ ...fromNode([aSample(1)]), spool: name, nodeId })
  const committed = async (store: TelemetryStore, name: string, nodeId = 1): Promise<number> =>
    store.begin({ nodeId, node: 'n1', spool: name, firstSeq: 1 })
  {
    await using store = await openStore(folder.dir, { bounds })
    await store.append(of('own', 2))
    await Promise.all(['a', 'b', 'c', 'a', 'd'].map((name) => store.append(of(name))))
    await store.begin({ nodeId: 1, node: 'n1', spool: 'e', firstSeq: 9 })
  }
  const instance = await DuckDBInstance.create(join(folder.dir, 'telemetry.duckdb'))
  const connection = await instance.connect()
  const stored = await connection.runAndReadAll('select spool from main.spools order by all')
  connection.closeSync()
  instance.closeSync()
  expect(stored.getRowsJS().flat()).toEqual(['c', 'd', 'e', 'own'])
  await using store = await openStore(folder.dir, { bounds })
  const seqs = ['a', 'b', 'c', 'd', 'e'].map((name) => committed(store, name))
  expect(await Promise.all(seqs)).toEqual([0, 0, 1, 1, 8])
  expect(await committed(store, 'own', 2)).toBe(1)
})

describe('the measurements of nodes', () => {
  it('are so many of one node, so that it shuts out no other, also after a restart', async () => {
    await using folder = await makeFolder()
    const bounds = { undeclaredPerNode: 2 }
    const named = (from: number, names: readonly string[]) =>
      names.map((name, at) => aSample(from + at, { name }))
    {
      await using store = await openStore(folder.dir, { bounds })
      await store.append(fromNode(named(1, ['a', 'b', 'c', 'a', 'rejected'])))
    }
    await using store = await openStore(folder.dir, { bounds })
    await store.append(fromNode(named(6, ['d', 'b'])))
    await store.append({ ...fromNode(named(1, ['e'])), nodeId: 2, node: 'n2' })
    const list = await store.list()
    expect(list.map(({ name }) => name).sort()).toEqual(['a', 'b', 'e', 'rejected'])
    expect((await readAll(store, 'rejected')).map(({ reason }) => reason)).toEqual([
      'node 1 has begun 2 measurements of its own already',
      null,
      'node 1 has begun 2 measurements of its own already',
    ])
  })

  it('have so many columns from one node, so that it uses up no other’s, also after a restart', async () => {
    await using folder = await makeFolder()
    const bounds = { fieldsPerMeasurement: 8, fieldsPerNode: 3 }
    const some = (...names: string[]) => ({ fields: Object.fromEntries(names.map((n) => [n, 1])) })
    {
      await using store = await openStore(folder.dir, { bounds })
      await store.append(fromNode([aSample(1, some('a', 'b')), aSample(2, some('c', 'd'))]))
    }
    await using store = await openStore(folder.dir, { bounds })
    await store.append(fromNode([aSample(3, { fields: { a: 2, b: 'text', e: 1 } })]))
    const other = [aSample(1, some('a', 'e', 'f'))]
    await store.append({ ...fromNode(other), nodeId: 2, node: 'n2' })
    const rows = await readAll(store, 'cpu')
    expect(rows.map(({ a, e, f, overflow }) => ({ a, e, f, overflow }))).toEqual([
      { a: 1, e: null, f: null, overflow: null },
      { a: null, e: null, f: null, overflow: '{"d":1}' },
      { a: 2, e: null, f: null, overflow: '{"b":"text","e":1}' },
      { a: 1, e: 1, f: 1, overflow: null },
    ])
  })

  it('of a slice are so many from one node too, and what has none is told in one row', async () => {
    await using folder = await makeFolder()
    const bounds = { fieldsPerMeasurement: 4, fieldsPerNode: 1, sliceFieldsPerNode: 2 }
    const some = (at: number, ...names: string[]) => ({
      ...{ scope: 'slice-3', sliver: `3@${at}` },
      fields: Object.fromEntries(names.map((name) => [name, 1])),
    })
    {
      await using store = await openStore(folder.dir, { bounds })
      await store.append(fromNode([aSample(1, some(1, 'a')), aSample(2, some(1, 'b'))]))
    }
    await using store = await openStore(folder.dir, { bounds })
    await store.append(fromNode([3, 4, 5].map((seq) => aSample(seq, some(1, 'a', `x${seq}`)))))
    await store.append({ ...fromNode([aSample(1, some(2, 'c', 'd'))]), nodeId: 2, node: 'n2' })
    const rows = await readAll(store, 'cpu', 'slice-3')
    expect(rows.map(({ a, c, d, overflow }) => ({ a, c, d, overflow }))).toEqual([
      { a: 1, c: null, d: null, overflow: null },
      { a: null, c: null, d: null, overflow: null },
      ...[3, 4, 5].map((seq) => ({ a: 1, c: null, d: null, overflow: `{"x${seq}":1}` })),
      { a: null, c: 1, d: 1, overflow: null },
    ])
    expect(await readAll(store, 'rejected', 'slice-3')).toMatchObject([
      {
        sliver: '3@1',
        lines: 3,
        reason: expect.stringMatching(/of which one node begins 2; .*x3/u) as string,
      },
    ])
  })

  it('are taken whatever else there is when they are declared, with all their fields', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, {
      bounds: { measurementsPerScope: 1, fieldsPerMeasurement: 1 },
    })
    const health = { name: 'node_health', fields: { load1: 1, load5: 2, load15: 3 } }
    await store.append(fromNode([aSample(1), aSample(2, health)]))
    expect(await readAll(store, 'node_health')).toMatchObject([{ load1: 1, load5: 2, load15: 3 }])
  })
})

describe('a sample that the engine refuses', () => {
  it('is told of in its place, and all others are stored', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const impossible = aSample(50, { fields: { x: { number: 'many' } } })
    const batch = [...samples(1, 49), impossible, ...samples(51, 80)]
    expect(await store.append(fromNode(batch))).toEqual({ committedSeq: 80, missingSeq: null })
    expect(await readAll(store, 'cpu')).toHaveLength(79)
    expect(await readAll(store, 'rejected')).toMatchObject([{ seq: 50, line: 'cpu x=many' }])
  })
})

describe('a file for a reader', () => {
  it('is given up when the reader goes, and the next one is written', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(samples(1, 2000)))
    const file = join(folder.dir, 'a.parquet')
    const leaving = new AbortController()
    const left = Array.from({ length: 20 }, () =>
      store.writeParquet({ ...everything, file }, leaving.signal),
    )
    leaving.abort()
    for (const result of await Promise.allSettled(left))
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'AbortError' })
    expect((await Promise.allSettled(left)).at(-1)?.status).toBe('rejected')
    expect(await store.writeParquet({ ...everything, file })).toBe(true)
  })

  it('is one of a few: further ones are refused', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(samples(1, 2000)))
    const file = join(folder.dir, 'a.parquet')
    const all = await Promise.allSettled(
      Array.from({ length: 70 }, () => store.writeParquet({ ...everything, file })),
    )
    const refused = all.filter(
      (each) => each.status === 'rejected' && LabError.is(each.reason, 'LAB_TELEMETRY_BUSY'),
    )
    expect(refused).toHaveLength(6)
  })
})

describe('a disk with too little room', () => {
  it('takes no samples and gives no files, and the server says why', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { telemetry: { minFreeMiB: 1e9 } })
    const { telemetry } = server.app
    expect(telemetry.isDiskShort).toBe(true)
    expect(telemetry.health()).toMatchObject({
      ok: false,
      detail: expect.stringContaining(
        'MiB free, and samples are taken from 1000000000 MiB',
      ) as string,
    })
    const file = join(folder.dir, 'a.parquet')
    await expect(telemetry.writeParquet({ ...everything, file })).rejects.toMatchObject({
      code: 'LAB_TELEMETRY_DISK_FULL',
    })
  })

  it.runIf(process.getuid?.() === 0)(
    'costs nothing that was acknowledged: the store opens its file again when there is room',
    async () => {
      await using folder = await makeFolder()
      const dir = join(folder.dir, 'disk')
      await mkdir(dir)
      await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'store-test', dir])
      try {
        await using store = await openStore(dir, { minFreeMiB: 0 })
        let committed = 0
        while (committed < 400_000) {
          const many = fromNode(samples(committed + 1, committed + 20_000))
          ;({ committedSeq: committed } = await store.append(many))
        }
        let failure: unknown = null
        // Readers have files written all the while, outside of the full disk: one is under way when the store is lost.
        const readers = Array.from({ length: 2 }, async (_, reader) => {
          const file = join(folder.dir, `${reader}.parquet`)
          while (failure === null)
            await store.writeParquet({ ...everything, file }).catch(() => undefined)
        })
        while (failure === null) {
          const texts = Array.from({ length: 500 }, (_, index) =>
            aSample(committed + 1 + index, { name: 'log', fields: { text: randomText(2_600) } }),
          )
          await store.append(fromNode(texts)).then(
            (outcome) => (committed = outcome.committedSeq),
            (error: unknown) => (failure = error),
          )
        }
        expect(failure).toMatchObject({ code: 'LAB_TELEMETRY_FAILED' })
        expect(store.health().ok).toBe(false)
        await Promise.all(readers)
        await runCommand(['mount', '-o', 'remount,size=256m', dir])
        // A node comes again, too.
        const { committedSeq } = await eventually(() =>
          store.append(fromNode(samples(committed + 1, committed + 1_000))),
        )
        expect(committedSeq).toBe(committed + 1_000)
        expect(store.health()).toEqual({ ok: true })
        // What was told as failed may have been stored; nothing is stored twice.
        const rows = [...(await readAll(store, 'cpu')), ...(await readAll(store, 'log'))]
        expect(new Set(rows.map(({ seq }) => seq)).size).toBe(committedSeq)
        expect(rows).toHaveLength(committedSeq)
        expect(await readAll(store, 'rejected')).toEqual([])
      } finally {
        await runCommand(['umount', dir])
      }
    },
  )
})
