import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import type { PlacedSample } from '../../../../server/src/telemetry/domain/sample.ts'
import type { TelemetryStore } from '../../../../server/src/telemetry/store.ts'
import { cutsOf, writeImage } from '../../../support/power/disk.ts'
import { allRows, aSample, fromNode, makeFolder, openStore, randomText, readAll } from './world.ts'

const hourMs = 3_600_000
/** The beginning of a day. */
const day = Date.UTC(2026, 9, 1)

/** Samples of a slice’s measurement, one a minute, from a time on. */
function minutes(
  firstSeq: number,
  { at, count, fields }: { at: number; count: number; fields?: (n: number) => object },
): PlacedSample[] {
  return Array.from({ length: count }, (_, n) =>
    aSample(firstSeq + n, {
      timeUs: (at + n * 60_000) * 1000,
      scope: 'slice-1',
      name: 'rtt',
      sliver: '1@1',
      fields: { rtt_s: (firstSeq + n) / 1000, run: 'a', ...fields?.(n) },
    }),
  )
}

/** How many stores are compacted at a time. */
const sideBySide = 6

const readRtt = (store: TelemetryStore) => readAll(store, 'rtt', 'slice-1')

/** Seal what is due. The first round only notes which rows are there. */
async function compact(store: TelemetryStore, atMs: number) {
  const first = await store.compact(atMs)
  const second = await store.compact(atMs)
  expect([...first.failures, ...second.failures]).toEqual([])
  const sum = (of: 'sealed' | 'rows' | 'merged') => first[of] + second[of]
  return { sealed: sum('sealed'), rows: sum('rows'), merged: sum('merged') }
}

async function sealedFiles(dir: string): Promise<string[]> {
  const found = await readdir(join(dir, 'parquet'), { recursive: true })
  return found.filter((name) => name.endsWith('.parquet')).sort()
}

/** Ask DuckDB about a file. */
async function query(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const answer = await connection.runAndReadAll(sql)
  connection.closeSync()
  instance.closeSync()
  return answer.getRowsJS()
}

describe('hours that are over', () => {
  it('become Parquet files, and readers see the same rows, by number and by file', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(minutes(1, { at: day, count: 150 })))
    const before = await readRtt(store)
    const listed = await store.list()
    const { sealed, rows } = await compact(store, day + 2 * hourMs + 11 * 60_000)
    expect({ sealed, rows }).toEqual({ sealed: 2, rows: 120 })
    expect(await sealedFiles(folder.dir)).toEqual([
      expect.stringMatching(/^slice-1\/rtt\/2026-10-01T00-[0-9a-f]{12}\.parquet$/u),
      expect.stringMatching(/^slice-1\/rtt\/2026-10-01T01-[0-9a-f]{12}\.parquet$/u),
    ])
    expect(await readRtt(store)).toEqual(before)
    expect(await store.list()).toEqual(listed)
    const file = join(folder.dir, 'a.parquet')
    const asked = { ...allRows, scope: 'slice-1', name: 'rtt', run: 'a', file }
    await store.writeParquet(asked)
    expect(
      await query(
        `select count(*)::int, bool_and(landed > before) from
         (select landed, lag(landed, 1, 0::bigint) over (order by file_row_number) as before from read_parquet('${file}', file_row_number = true))`,
      ),
    ).toEqual([[150, true]])
    const fromUs = (day + 59 * 60_000) * 1000
    await store.writeParquet({ ...asked, fromUs, toUs: fromUs + 3 * 60_000_000 })
    expect(await query(`select seq::int from '${file}'`)).toEqual([[60], [61], [62]])
    // When the server got a row is known from its number, whatever the clock of the node said.
    const count = async (range: object) => {
      await store.writeParquet({ ...asked, ...range })
      const [[rows] = []] = await query(`select count(*)::int from '${file}'`)
      return rows
    }
    expect(await count({ sinceUs: (Date.now() - hourMs) * 1000 })).toBe(150)
    expect(await count({ sinceUs: (Math.max(Date.now(), day) + 24 * hourMs) * 1000 })).toBe(0)
    expect(await count({ upTo: before[69]?.['landed'] })).toBe(70)
  })

  it('keep each value exactly, whatever columns come, change or go to another field later', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const odd = [1 / 3, -0, 1e300, 0.1 + 0.2, 5e-324, 123_456_789.123_456_78, -0.000_001]
    const fields = (n: number) => ({
      odd_s: odd[n % odd.length],
      whole_s: n * 2,
      big: { number: '123456789012345678901234567890' },
      text: n === 3 ? '' : `text ${n} 'with' "quotes" ↯`,
      ok: n % 2 === 0,
      mixed: n,
    })
    await store.append(fromNode(minutes(1, { at: day, count: 60, fields })))
    const first = await readRtt(store)
    await compact(store, day + 2 * hourMs)
    expect(await sealedFiles(folder.dir)).toHaveLength(1)
    expect(await readRtt(store)).toEqual(first)
    // Most values of `mixed` are texts now, which take the name of its column; and `whole_s` has an integer that no double holds.
    const later = (n: number) => ({ mixed: `a ${n}`, whole_s: { number: '9007199254740993' } })
    await store.append(fromNode(minutes(61, { at: day + 2 * hourMs, count: 130, fields: later })))
    const both = await readRtt(store)
    expect(
      both.slice(0, 60).map((row) => row['mixed_as_number'] ?? row['mixed_as_integer']),
    ).toEqual(first.map((row) => row['mixed']))
    expect(both.slice(0, 60).map((row) => row['whole_s'])).toEqual(
      first.map((row) => row['whole_s']),
    )
    await compact(store, day + 12 * hourMs)
    expect(await readRtt(store)).toEqual(both)
    // The files of the day have different columns, and become one.
    const { merged } = await compact(store, day + 31 * hourMs)
    expect(merged).toBe(4)
    expect(await readRtt(store)).toEqual(both)
    expect(await sealedFiles(folder.dir)).toEqual([
      expect.stringMatching(/^slice-1\/rtt\/2026-10-01-[0-9a-f]{12}\.parquet$/u),
    ])
  })

  it('are readable from any row number on, also when rows of the past come late', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(fromNode(minutes(1, { at: day, count: 150 })))
    await compact(store, day + 3 * hourMs)
    // Others land before and after late rows of the first hour.
    await store.append(fromNode(minutes(151, { at: day + 3 * hourMs, count: 20 })))
    await store.append(fromNode(minutes(171, { at: day, count: 20 })))
    await store.append(fromNode(minutes(191, { at: day + 4 * hourMs, count: 20 })))
    const all = await readRtt(store)
    expect(all.map((row) => row['seq'])).toEqual(Array.from({ length: 210 }, (_, at) => at + 1))
    await compact(store, day + 6 * hourMs)
    expect(await sealedFiles(folder.dir)).toHaveLength(6)
    for (const from of [0, 1, 60, 149, 150, 169, 170, 180, 190, 209]) {
      const after = from === 0 ? 0 : Number(all[from - 1]?.['landed'])
      const found: unknown[] = []
      for (let next = after; ;) {
        const { batch, readTo } = await store.rows({
          ...{ scope: 'slice-1', name: 'rtt', run: 'a', after: next, limit: 7 },
        })
        if (batch === null) break
        found.push(...batch.rows.map((row) => row[batch.columns.indexOf('seq')]))
        next = readTo
      }
      expect(found).toEqual(all.slice(from).map((row) => row['seq']))
    }
    const none = { scope: 'slice-1', name: 'rtt', run: 'b', after: 0, limit: 7 }
    expect((await store.rows(none)).batch).toBeNull()
  })

  it('are sealed when a server opens the store that an earlier version wrote, which loses nothing', async () => {
    await using folder = await makeFolder()
    const old = join(import.meta.dirname, '../../../fixtures/telemetry/format-3.duckdb.gz')
    await writeFile(join(folder.dir, 'telemetry.duckdb'), gunzipSync(await readFile(old)))
    await using store = await openStore(folder.dir)
    const cpu = await readAll(store, 'cpu')
    const rtt = await readRtt(store)
    expect(cpu).toHaveLength(101)
    expect(cpu.at(-1)).toMatchObject({ seq: 105, switches: { number: '9007199254740993' } })
    expect(rtt.map(({ seq, run, peer, ok, big }) => ({ seq, run, peer, ok, big }))).toEqual([
      { seq: 101, run: 'a', peer: 'x', ok: null, big: null },
      { seq: 102, run: 'a', peer: null, ok: null, big: { number: '123456789012345678901' } },
      { seq: 103, run: 'b', peer: null, ok: true, big: null },
      { seq: 104, run: 'b', peer: null, ok: false, big: null },
    ])
    expect(rtt.map((row) => row['rtt_s'] ?? row['rtt_s_as_text'])).toEqual([
      ...[0.012_345, 'late', 'late', 1 / 3],
    ])
    const { rows } = await store.compact(day + 48 * hourMs)
    expect(rows).toBe(105)
    expect(await readAll(store, 'cpu')).toEqual(cpu)
    expect(await readRtt(store)).toEqual(rtt)
  })
})

describe('a server that is killed while it seals and merges', () => {
  it('has each row once, before any statement of DuckDB at which that happens, and goes on from there', async () => {
    await using folder = await makeFolder()
    const made = join(folder.dir, 'made')
    const late = day + 3 * hourMs
    {
      await using store = await openStore(made)
      await store.append(fromNode(minutes(1, { at: day, count: 130 })))
      await compact(store, day + 2 * hourMs + 11 * 60_000)
      await store.append(fromNode(minutes(131, { at: day, count: 20 })))
      await store.append(fromNode(minutes(151, { at: late, count: 5 })))
    }
    const seqs = Array.from({ length: 155 }, (_, at) => at + 1)
    const program = join(import.meta.dirname, 'compaction-child.ts')
    const nextDay = day + 40 * hourMs
    const files = new Set<number>()

    /** Returns whether it was killed before this statement. */
    async function tryStep(step: number): Promise<boolean> {
      const dir = join(folder.dir, String(step))
      await cp(made, dir, { recursive: true })
      const child = spawn(process.execPath, [program, dir, String(nextDay), String(step)], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(folder.dir, 'compiled') },
      })
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      const isKilled = signal === 'SIGKILL'
      expect(isKilled || code === 0).toBe(true)
      await using store = await openStore(dir)
      expect((await readRtt(store)).map((row) => row['seq'])).toEqual(seqs)
      expect((await store.list()).map(({ rows }) => rows)).toEqual([155])
      files.add((await sealedFiles(dir)).length)
      await compact(store, nextDay)
      expect((await readRtt(store)).map((row) => row['seq'])).toEqual(seqs)
      expect(await sealedFiles(dir)).toHaveLength(1)
      return isKilled
    }

    let step = 1
    for (let isKilled = [true]; isKilled.every(Boolean); step += sideBySide)
      isKilled = await Promise.all(
        Array.from({ length: sideBySide }, (_, at) => tryStep(step + at)),
      )
    // Two files before; three when the rest was sealed; one when they were merged.
    expect([...files].sort()).toEqual([1, 2, 3])
    expect(step).toBeGreaterThan(10)
  })
})

describe('a server whose power is cut while it seals and merges', () => {
  it('has each row once, whatever the disk had of the files by then, and goes on from there', async () => {
    await using folder = await makeFolder()
    const before = join(folder.dir, 'before')
    const root = join(folder.dir, 'root')
    const record = join(folder.dir, 'record')
    {
      await using store = await openStore(before)
      await store.append(fromNode(minutes(1, { at: day, count: 130 })))
      await compact(store, day + 2 * hourMs + 11 * 60_000)
      await store.append(fromNode(minutes(131, { at: day, count: 20 })))
    }
    await cp(before, root, { recursive: true })
    const nextDay = day + 40 * hourMs
    const power = join(import.meta.dirname, '../../../support/power/record-steps.ts')
    const program = join(import.meta.dirname, 'compaction-child.ts')
    const child = spawn(
      process.execPath,
      ['--import', power, program, root, String(nextDay), 'none'],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, POWER_LOG: record, POWER_ROOT: root },
      },
    )
    expect(await once(child, 'exit')).toEqual([0, null])
    const seed = Number(process.env['POWER_SEED'] ?? 1)
    const most = Number(process.env['POWER_CUTS'] ?? 300) / 60
    const seqs = Array.from({ length: 150 }, (_, at) => at + 1)
    let commits = 0
    for (const cut of cutsOf(record, { root, before, perMoment: 1, most, seed })) {
      await using left = await makeFolder('/dev/shm')
      writeImage(cut.image, left.dir)
      commits = Number(cut.events.at(-1) ?? 0)
      // What DuckDB has committed is on the disk.
      const database = commits === 0 ? before : join(folder.dir, `commit-${commits}`)
      for (const name of ['telemetry.duckdb', 'telemetry.duckdb.wal']) {
        await rm(join(left.dir, name), { force: true })
        await cp(join(database, name), join(left.dir, name)).catch(() => undefined)
      }
      const troubles: string[] = []
      await using store = await openStore(left.dir, {
        // Files that no commit names are set aside.
        onTrouble(sentence) {
          if (!sentence.includes('is not in the list of sealed files')) troubles.push(sentence)
        },
      })
      const read = async () => (await readRtt(store)).map((row) => row['seq'])
      const which = [cut.steps, cut.seed]
      expect([which, await read(), troubles]).toEqual([which, seqs, []])
      await compact(store, nextDay)
      expect([which, await read(), await sealedFiles(left.dir)]).toEqual([
        which,
        seqs,
        [expect.any(String) as string],
      ])
    }
    expect(commits).toBeGreaterThan(1)
  })
})

describe('a sealed file', () => {
  it('that is missing, cut or damaged is told by name, and the rest stays readable', async () => {
    await using folder = await makeFolder()
    const store = await openStore(folder.dir)
    await store.append(fromNode(minutes(1, { at: day, count: 240 })))
    await compact(store, day + 5 * hourMs)
    const names = await sealedFiles(folder.dir)
    const paths = names.map((name) => join(folder.dir, 'parquet', name))
    const [missing = '', cut = '', damaged = ''] = paths
    await store[Symbol.asyncDispose]()
    await rm(missing)
    await writeFile(cut, (await readFile(cut)).subarray(0, 100))
    const content = await readFile(damaged)
    // Its first pages; the file still looks like Parquet.
    await writeFile(damaged, content.fill(0xaa, 8, 300))
    await writeFile(join(folder.dir, 'parquet', 'slice-1', 'stray.parquet'), 'of somebody else')
    const troubles: string[] = []
    const options = { onTrouble: (sentence: string) => void troubles.push(sentence) }
    await using again = await openStore(folder.dir, options)
    expect((await readRtt(again)).map((row) => row['seq'])).toEqual(
      Array.from({ length: 60 }, (_, at) => 181 + at),
    )
    expect(troubles.map((each) => each.replace(/-[0-9a-f]{12}/gu, ''))).toEqual([
      expect.stringMatching(
        /^sealed file slice-1\/rtt\/2026-10-01T00.parquet is missing: its 60 rows/u,
      ),
      expect.stringMatching(/01T01.parquet has 100 bytes and not \d+, and is set aside as/u),
      expect.stringMatching(/^slice-1\/stray.parquet is not in the list of sealed files/u),
      expect.stringMatching(/01T02.parquet has another content than was written/u),
    ])
    const [described] = await again.list()
    expect(described?.unreadable).toEqual({ rows: 180, files: names.slice(0, 3) })
  })

  it('that is damaged does not keep samples from being stored, when one has a value of another kind', async () => {
    await using folder = await makeFolder()
    const store = await openStore(folder.dir)
    await store.append(fromNode(minutes(1, { at: day, count: 60 })))
    await compact(store, day + 5 * hourMs)
    await store[Symbol.asyncDispose]()
    const [name = ''] = await sealedFiles(folder.dir)
    const path = join(folder.dir, 'parquet', name)
    const content = await readFile(path)
    // All pages; the footer is whole.
    const footerAt = content.length - 8 - content.readUInt32LE(content.length - 8)
    await writeFile(path, content.fill(0xaa, 8, footerAt))
    const troubles: string[] = []
    const options = { onTrouble: (sentence: string) => void troubles.push(sentence) }
    await using again = await openStore(folder.dir, options)
    const at = day + 5 * hourMs
    const late = minutes(61, { at, count: 1, fields: () => ({ rtt_s: 'timeout' }) })
    expect(await again.append(fromNode(late))).toMatchObject({ committedSeq: 61 })
    expect(await readRtt(again)).toMatchObject([{ seq: 61, rtt_s: 'timeout' }])
    expect(troubles).toEqual([expect.stringContaining('has another content than was written')])
  })

  it('goes when its slice has more than it may keep, or it is too old, and the list and a row of dropped tell how many rows', async () => {
    await using folder = await makeFolder()
    const keep = { sliceBytes: 30_000, nodeBytes: 1e9, sliceDays: 30 }
    await using store = await openStore(folder.dir, { keep })
    const text = () => ({ text: randomText(200) })
    await store.append(fromNode(minutes(1, { at: day, count: 240, fields: text })))
    const others = minutes(241, { at: day, count: 240 }).map((sample) => ({
      ...sample,
      scope: 'slice-2',
    }))
    await store.append(fromNode(others))
    await compact(store, day + 5 * hourMs)
    const { removed } = await store.compact(day + 5 * hourMs)
    expect(removed).toBeGreaterThan(0)
    const left = await readRtt(store)
    expect(left.map((row) => row['seq'])).toEqual(
      Array.from({ length: 240 - 60 * removed }, (_, at) => 60 * removed + 1 + at),
    )
    const [of1, of2, dropped] = await store.list()
    expect(dropped).toMatchObject({ scope: 'slice-1', name: 'dropped', rows: 1 })
    const last = new Date(day + removed * hourMs - 60_000).toISOString()
    expect(of1).toMatchObject({
      rows: left.length,
      removed: { rows: 60 * removed, last_time: last },
    })
    expect(of2).toMatchObject({ rows: 240 })
    expect(of2?.removed).toBeUndefined()
    await store.compact(day + 40 * 24 * hourMs)
    expect((await store.list()).filter(({ name }) => name === 'rtt')).toMatchObject([
      { rows: 0 },
      { rows: 0 },
    ])
    const told = await readAll(store, 'dropped', 'slice-1')
    expect(told).toMatchObject([
      {
        ...{ lines: 60 * removed, node: 'server', sliver: null },
        reason: `removed by the server: rtt from ${new Date(day).toISOString()} to ${last}; no more than 30000 bytes are kept, and the oldest go first`,
      },
      {
        lines: 240 - 60 * removed,
        reason: expect.stringContaining('rows are kept for 30 days') as string,
      },
    ])
    expect(await readAll(store, 'dropped', 'slice-2')).toHaveLength(1)
    const landed = told.map((row) => Number(row['landed']))
    // Rows that come later have greater numbers, so who follows the rows misses none.
    await store.append(fromNode([...minutes(481, { at: day, count: 1 })]))
    const [after] = await readRtt(store)
    expect(Number(after?.['landed'])).toBeGreaterThan(Math.max(...landed))
  })
})
