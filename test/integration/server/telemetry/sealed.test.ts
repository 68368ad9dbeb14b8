import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { compact, day, hourMs, minutes, readRtt, sealedFiles } from './sealed-world.ts'
import { allRows, fromNode, makeFolder, openStore, randomText, readAll } from './world.ts'

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

  it('that the list does not have is set aside; of those the latest are kept, and what goes is told by name', async () => {
    await using folder = await makeFolder()
    const asideDir = join(folder.dir, 'set-aside')
    await mkdir(asideDir)
    for (const name of ['a', 'b', 'c']) await writeFile(join(asideDir, name), 'four')
    const parquet = join(folder.dir, 'parquet')
    await mkdir(parquet)
    await writeFile(join(parquet, 'stray.parquet.damaged'), 'four')
    const told: string[] = []
    const aside = { files: 3, bytes: 11 }
    await using _ = await openStore(folder.dir, {
      aside,
      onTrouble: (each) => void told.push(each),
    })
    expect(told).toEqual([
      expect.stringContaining('stray.parquet.damaged is not in the list of sealed files'),
      `removed from ${asideDir}, which keeps 3 files and 11 bytes: a, b, set aside first`,
    ])
    expect((await readdir(asideDir)).sort()).toEqual(['c', 'stray.parquet.damaged'])
    expect(await readdir(parquet)).toEqual([])
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
