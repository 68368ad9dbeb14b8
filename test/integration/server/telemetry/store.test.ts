import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { LabError } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { aSample, fromNode, makeFolder, openStore, readAll, samples, spool } from './world.ts'

const start = { nodeId: 1, node: 'n1', spool, firstSeq: 1 }

describe('storing samples', () => {
  it('stores each once however often it is sent', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const answers = await Promise.all([
      store.append(fromNode(samples(1, 10))),
      store.append(fromNode(samples(1, 10))),
      store.append(fromNode(samples(5, 15))),
    ])
    expect(answers.map(({ committedSeq }) => committedSeq)).toEqual([10, 10, 15])
    expect((await store.append(fromNode(samples(3, 12)))).committedSeq).toBe(15)
    const rows = await readAll(store, 'cpu')
    expect(rows.map(({ seq }) => seq)).toEqual(samples(1, 15).map(({ seq }) => seq))
    const first = Number(rows[0]?.['landed'])
    expect(rows.map(({ landed }) => landed)).toEqual(rows.map((_, at) => first + at))
    expect(rows[1]).toEqual({
      time: 2000,
      node: 'n1',
      node_id: 1,
      sliver: null,
      seq: 2,
      spool,
      landed: first + 1,
      overflow: null,
      busy_ratio: 1,
    })
  })

  it('takes what is before a gap, and nothing after it', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const gap = await store.append(fromNode([...samples(1, 3), ...samples(5, 6)]))
    expect(gap).toEqual({ committedSeq: 3, missingSeq: 4 })
    expect(await store.append(fromNode(samples(7, 8)))).toEqual({ committedSeq: 3, missingSeq: 4 })
    expect(await readAll(store, 'cpu')).toHaveLength(3)
    expect((await store.append(fromNode(samples(4, 8)))).committedSeq).toBe(8)
  })

  it('keeps spools of one node and nodes with one spool apart', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(samples(1, 3)))
    await store.append({ ...fromNode(samples(1, 2)), spool: spool.replace('1', '9') })
    await store.append({ ...fromNode(samples(1, 2)), nodeId: 2, node: 'n2' })
    expect(await readAll(store, 'cpu')).toHaveLength(7)
    expect(await store.begin(start)).toBe(3)
  })

  it('goes on where it was after it was closed', async () => {
    await using folder = await makeFolder()
    {
      await using store = await openStore(folder.dir)
      await store.append(fromNode(samples(1, 3)))
    }
    await using store = await openStore(folder.dir)
    expect(await store.begin(start)).toBe(3)
    await store.append(fromNode(samples(2, 4)))
    const rows = await readAll(store, 'cpu')
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  })

  it('gives no number of a row again after it was restored from an older copy', async () => {
    await using folder = await makeFolder()
    const dir = join(folder.dir, 'store')
    const copy = join(folder.dir, 'copy')
    const lastLanded = async (from: number, to: number): Promise<number> => {
      await using store = await openStore(dir)
      await store.append(fromNode(samples(from, to)))
      return Number((await readAll(store, 'cpu')).at(-1)?.['landed'])
    }
    await lastLanded(1, 3)
    await cp(dir, copy, { recursive: true })
    const known = await lastLanded(4, 50)
    await rm(dir, { recursive: true })
    await cp(copy, dir, { recursive: true })
    expect(await lastLanded(4, 5)).toBeGreaterThan(known)
  })

  it('counts what a node holds no longer and the server never got', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(samples(1, 3)))
    expect(await store.begin({ ...start, firstSeq: 10 })).toBe(9)
    expect((await store.append(fromNode(samples(10, 11)))).committedSeq).toBe(11)
    expect(await readAll(store, 'dropped')).toMatchObject([{ seq: 9, lines: 6 }])
    expect(await store.begin({ ...start, firstSeq: 10 })).toBe(11)
  })

  it('keeps values of other types, new fields and awkward texts', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, {
      bounds: { fieldsPerMeasurement: 2, measurementsPerScope: 1 },
    })
    const texts = ['', "it's", '"', 'a\u0000b', '☃', '\ud800']
    await store.append(fromNode([aSample(1, { fields: { rtt_s: 1 } })]))
    await store.append(
      fromNode([
        aSample(2, { fields: { peer: 'n3', rtt_s: 'lost' } }),
        aSample(3, { fields: { rtt_s: 2, peer: 'n4', third: true } }),
        aSample(4, { name: 'more', fields: { x: 1 } }),
        ...texts.map((peer, at) => aSample(5 + at, { fields: { peer } })),
      ]),
    )
    const rows = await readAll(store, 'cpu')
    expect(rows.slice(0, 3)).toMatchObject([
      { rtt_s: 1, peer: null, overflow: null },
      { rtt_s: null, peer: 'n3', overflow: '{"rtt_s":"lost"}' },
      { rtt_s: 2, peer: 'n4', overflow: '{"third":true}' },
    ])
    expect(rows.slice(3, 8).map(({ peer }) => peer)).toEqual(texts.slice(0, 5))
    expect(await readAll(store, 'rejected')).toMatchObject([
      { seq: 4, line: 'more x=1', reason: 'node has 1 measurements already', lines: 1 },
    ])
  })

  it('lists what there is, with units and extents', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(samples(1, 2)))
    const ofSlice = { scope: 'slice-3', name: 'rtt', sliver: '3@1', fields: { rtt_s: 1 } }
    await store.append(fromNode([aSample(3, ofSlice)]))
    expect((await store.list()).map(({ scope, name, rows }) => [scope, name, rows])).toEqual([
      ['node', 'cpu', 2],
      ['slice-3', 'rtt', 1],
    ])
    await store.append(fromNode([aSample(4), aSample(5, ofSlice)]))
    const [cpu, rtt] = await store.list()
    expect(cpu).toMatchObject({ rows: 3, first_time: '1970-01-01T00:00:00.001Z' })
    expect(cpu?.last_time).toBe('1970-01-01T00:00:00.004Z')
    expect(rtt?.columns.at(-1)).toEqual({ name: 'rtt_s', type: 'DOUBLE', unit: 's' })
  })

  it('keeps an impossible record of one stream from holding back the others', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir, { commitDelayMs: 50 })
    const [bad, good] = await Promise.allSettled([
      store.append(fromNode([aSample(1, { timeUs: 0.5 })])),
      store.append({ ...fromNode(samples(1, 3)), nodeId: 2, node: 'n2' }),
    ])
    expect(bad.status === 'rejected' && LabError.is(bad.reason, 'LAB_TELEMETRY_FAILED')).toBe(true)
    expect(good).toMatchObject({ status: 'fulfilled', value: { committedSeq: 3 } })
    expect(await readAll(store, 'cpu')).toHaveLength(3)
  })
})

describe('rows as they land', () => {
  it('come in pages, by run, and tell how far was read', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const ask = { scope: 'node', name: 'cpu', after: 0, run: null, limit: 2 }
    const { batch: none, readTo: start } = await store.rows(ask)
    expect(none).toBeNull()
    await store.append(fromNode([aSample(1), aSample(2, { fields: { run: 'a' } }), aSample(3)]))
    const first = await store.rows(ask)
    expect(first).toMatchObject({ batch: { landed: start + 2 }, readTo: start + 2 })
    expect(await store.rows({ ...ask, after: start + 2 })).toMatchObject({
      batch: { landed: start + 3 },
      readTo: start + 3,
    })
    const ofRun = await store.rows({ ...ask, run: 'a' })
    expect(ofRun.batch?.rows).toHaveLength(1)
    expect(ofRun.readTo).toBe(start + 3)
    expect((await store.rows({ ...ask, run: "a' or true --" })).batch).toBeNull()
  })
})

describe('an answer of rows', () => {
  it('has a bound in characters, and goes on after its last row', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const note = 'x'.repeat(8_000)
    await store.append(fromNode(samples(1, 400, { name: 'notes', fields: { note } })))
    const seqs: unknown[] = []
    for (let after = 0, answers = 0; seqs.length < 400; answers++) {
      const ask = { scope: 'node', name: 'notes', after, run: null, limit: 1000 }
      const { batch, readTo } = await store.rows(ask)
      expect(JSON.stringify(batch).length).toBeLessThan(1.1 * 1024 * 1024)
      expect(answers).toBeLessThan(5)
      seqs.push(...(batch?.rows ?? []).map((row) => row[batch?.columns.indexOf('seq') ?? 0]))
      after = readTo
    }
    expect(seqs).toEqual(samples(1, 400).map(({ seq }) => seq))
  })

  it('has rows in the order of landing, also of a table that DuckDB reads in several parts', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    // DuckDB keeps, and reads at the same time, parts of 122,880 rows.
    const total = 150_000
    for (let from = 1; from <= total; from += 50_000)
      await store.append(fromNode(samples(from, from + 49_999)))
    const seqs: unknown[] = []
    for (let after = 0; seqs.length < total;) {
      const ask = { scope: 'node', name: 'cpu', after, run: null, limit: 5_000 }
      const { batch, readTo } = await store.rows(ask)
      seqs.push(...(batch?.rows ?? []).map((row) => row[batch?.columns.indexOf('seq') ?? 0]))
      after = readTo
    }
    expect(seqs.every((seq, index) => seq === index + 1)).toBe(true)
  })
})

describe('a reader who follows the rows', () => {
  it('misses none that are being committed while it reads', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const total = 6000
    const writing = (async () => {
      for (let from = 1; from <= total; from += 30)
        await store.append(fromNode(samples(from, from + 29)))
    })()
    const found: unknown[] = []
    for (let after = 0; found.length < total;) {
      const ask = { scope: 'node', name: 'cpu', after, run: null, limit: 1000 }
      const { batch, readTo } = await store.rows(ask)
      for (const row of batch?.rows ?? []) found.push(row[batch?.columns.indexOf('seq') ?? 0])
      after = readTo
    }
    await writing
    expect(found).toEqual(samples(1, total).map(({ seq }) => seq))
  })
})

describe('the file', () => {
  it('holds every acknowledged row, and none twice, after kill -9', async () => {
    await using folder = await makeFolder()
    for (const acks of [7, 40]) {
      const dir = join(folder.dir, String(acks))
      const child = spawn(process.execPath, [join(import.meta.dirname, 'ingest-child.ts'), dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const exited = once(child, 'exit')
      let acknowledged = 0
      let seen = 0
      for await (const line of createInterface(child.stdout)) {
        acknowledged = Math.max(acknowledged, Number(line))
        if (++seen === acks) child.kill('SIGKILL')
      }
      await exited
      await using store = await openStore(dir)
      const committed = await store.begin(start)
      expect(committed).toBeGreaterThanOrEqual(acknowledged)
      const seqs = (await readAll(store, 'cpu')).map(({ seq }) => Number(seq))
      expect(seqs).toEqual(Array.from({ length: committed }, (_, index) => index + 1))
      expect((await store.append(fromNode(samples(1, committed + 5)))).committedSeq).toBe(
        committed + 5,
      )
      expect(await readAll(store, 'cpu')).toHaveLength(committed + 5)
    }
  })

  it('is refused when it is damaged, foreign, or of another layout', async () => {
    await using folder = await makeFolder()
    const file = join(folder.dir, 'telemetry.duckdb')
    await writeFile(file, 'x'.repeat(20_000))
    const refusal = { code: 'LAB_TELEMETRY_UNUSABLE' }
    await expect(openStore(folder.dir)).rejects.toMatchObject(refusal)

    await using other = await makeFolder()
    {
      await using _store = await openStore(other.dir)
    }
    await runSql(join(other.dir, 'telemetry.duckdb'), 'update main.store set format = 99')
    await expect(openStore(other.dir)).rejects.toMatchObject({
      ...refusal,
      details: {
        reason:
          'its format is 99, and this version reads formats 1 to 5: start the version that wrote it',
      },
    })

    await using foreign = await makeFolder()
    await runSql(join(foreign.dir, 'telemetry.duckdb'), 'create table t (x integer)')
    await expect(openStore(foreign.dir)).rejects.toMatchObject(refusal)
  })

  it('is refused while another process has it', async () => {
    await using folder = await makeFolder()
    await using _store = await openStore(folder.dir)
    const script = `import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'world.ts'))}
      await openStore(${JSON.stringify(folder.dir)}).catch((error) => console.log(error.code))`
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      script,
    ])
    expect(stdout.trim()).toBe('LAB_TELEMETRY_UNUSABLE')
  })
})

async function runSql(file: string, sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  await connection.run(sql)
  connection.closeSync()
  instance.closeSync()
}
