import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { allRows, aSample, fromNode, makeFolder, openStore, readAll, spool } from './world.ts'

const u64 = { number: '18446744073709551615' }
const nan = { number: 'nan' }
const inf = { number: 'inf' }

/** Samples of slice 3, one for each row of fields. */
function fromSlice(from: number, rows: readonly Parameters<typeof aSample>[1][]) {
  const ofSlice = { scope: 'slice-3', name: 'rtt', sliver: '3@1' }
  return fromNode(rows.map((row, at) => aSample(from + at, { ...ofSlice, ...row })))
}

describe('numbers that JSON has no form for', () => {
  it('are exact in rows and in Parquet', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(
      fromSlice(1, [
        { fields: { bytes: 1, x: 0.5 } },
        { fields: { bytes: u64, x: nan } },
        { fields: { bytes: { number: '-9007199254740993' }, x: inf } },
      ]),
    )
    expect(await readAll(store, 'rtt', 'slice-3')).toMatchObject([
      { bytes: 1, x: 0.5 },
      { bytes: u64, x: nan },
      { bytes: { number: '-9007199254740993' }, x: inf },
    ])
    const file = join(folder.dir, 'rtt.parquet')
    expect(await store.writeParquet({ ...allRows, scope: 'slice-3', name: 'rtt', file })).toBe(true)
    const rows = await querySql(':memory:', `select bytes::hugeint, x from '${file}' order by seq`)
    expect(rows).toEqual([
      [1n, 0.5],
      [18446744073709551615n, Number.NaN],
      [-9007199254740993n, Number.POSITIVE_INFINITY],
    ])
  })
})

describe('a column’s type', () => {
  it('is that of most values, also when the odd one came first and the server was restarted between', async () => {
    await using folder = await makeFolder()
    {
      await using store = await openStore(folder.dir)
      await store.append(fromSlice(1, [{ fields: { rtt_s: 'timeout' } }]))
    }
    await using store = await openStore(folder.dir)
    await store.append(fromSlice(2, [{ fields: { rtt_s: 0.25 } }]))
    expect((await store.list())[0]?.columns.slice(-2)).toEqual([
      { name: 'rtt_s', type: 'VARCHAR', unit: 's' },
      { name: 'rtt_s_as_number', type: 'DOUBLE', unit: 's' },
    ])
    await store.append(fromSlice(3, [{ fields: { rtt_s: 0.5 } }]))
    expect((await store.list())[0]?.columns.slice(-2)).toEqual([
      { name: 'rtt_s', type: 'DOUBLE', unit: 's' },
      { name: 'rtt_s_as_text', type: 'VARCHAR', unit: null },
    ])
    expect(await readAll(store, 'rtt', 'slice-3')).toMatchObject([
      { rtt_s: null, rtt_s_as_text: 'timeout' },
      { rtt_s: 0.25, rtt_s_as_text: null },
      { rtt_s: 0.5, rtt_s_as_text: null },
    ])
  })

  it('widens to integers after a restart only when all numbers are whole', async () => {
    await using folder = await makeFolder()
    {
      await using store = await openStore(folder.dir)
      await store.append(fromSlice(1, [{ fields: { whole: 1, x: 0.5 } }]))
    }
    {
      await using store = await openStore(folder.dir)
      await store.append(fromSlice(2, [{ fields: { whole: u64, x: u64 } }]))
    }
    await using store = await openStore(folder.dir)
    await store.append(fromSlice(3, [{ fields: { whole: 2, x: 3 } }]))
    expect(await readAll(store, 'rtt', 'slice-3')).toMatchObject([
      { whole: 1, x: 0.5, x_as_integer: null },
      { whole: u64, x: null, x_as_integer: u64 },
      { whole: 2, x: 3, x_as_integer: null },
    ])
  })

  it('of what nodes tell of themselves is declared, whatever comes first', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    await store.append(
      fromNode([aSample(1, { name: 'node_health', fields: { uptime_seconds: 1 } })]),
    )
    const [health] = await store.list()
    expect(health?.columns).toHaveLength(26)
    expect(health?.columns).toContainEqual({ name: 'load1', type: 'DOUBLE', unit: null })
  })
})

describe('a file of format 1', () => {
  it('is brought up to date: rows have their node’s id, columns stay, and it goes on', async () => {
    await using folder = await makeFolder()
    await querySql(
      join(folder.dir, 'telemetry.duckdb'),
      `create table main.store (format integer not null, landed bigint not null);
       insert into main.store values (1, 2);
       create table main.spools (node_id integer not null, spool varchar not null,
         committed_seq bigint not null, primary key (node_id, spool));
       insert into main.spools values (1, '${spool}', 2);
       create schema node; create schema "slice-3";
       create table node.cpu (time timestamp, node varchar, sliver varchar, seq bigint, spool varchar,
         landed bigint, overflow varchar, busy_ratio double, node_id varchar);
       insert into node.cpu values (make_timestamp(1000), 'n1', null, 1, '${spool}', 1, null, 0.5, 'x');
       create table "slice-3".rejected (time timestamp, node varchar, sliver varchar, seq bigint,
         spool varchar, landed bigint, overflow varchar, line varchar, reason varchar);
       insert into "slice-3".rejected values (make_timestamp(1000), 'n1', '3@1', 2, '${spool}', 2, null, 'a', 'b')`,
    )
    await using store = await openStore(folder.dir)
    const fields = { line: 'c', reason: 'd', lines: 5 }
    const rejected = { scope: 'slice-3', sliver: '3@1', name: 'rejected', fields }
    await store.append(fromNode([aSample(3), aSample(4, rejected)]))
    const [first, second] = await readAll(store, 'cpu')
    expect(Object.keys(first ?? {})).toEqual([
      'time',
      'node',
      'node_id',
      'sliver',
      'seq',
      'spool',
      'landed',
      'overflow',
      'busy_ratio',
      'node_id_field',
    ])
    expect(first).toMatchObject({ time: 1000, node_id: 1, busy_ratio: 0.5, node_id_field: 'x' })
    expect(second).toMatchObject({ seq: 3, node_id: 1, busy_ratio: 1.5, node_id_field: null })
    expect(await readAll(store, 'rejected', 'slice-3')).toMatchObject([
      { node_id: 1, line: 'a', lines: null },
      { node_id: 1, line: 'c', lines: 5 },
    ])
  })
})

async function querySql(file: string, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowsJS()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

describe('a declared measurement', () => {
  const fields = { rtt_s: 'number', lost: 'boolean', peer: 'text', run: 'text' } as const
  const declared = { scope: 'slice-3', measurements: [{ name: 'rtt', fields }] }

  it('has its table, with all columns and units, before its first sample, and after a restart', async () => {
    await using folder = await makeFolder()
    for (let start = 0; start < 2; start++) {
      await using store = await openStore(folder.dir)
      if (start === 0) expect(await store.declare(declared)).toBeNull()
      const [table] = await store.list()
      expect(table).toMatchObject({ scope: 'slice-3', name: 'rtt', rows: 0 })
      expect(table?.columns.slice(-4).map(({ name, type, unit }) => [name, type, unit])).toEqual([
        ['rtt_s', 'DOUBLE', 's'],
        ['lost', 'BOOLEAN', null],
        ['peer', 'VARCHAR', null],
        ['run', 'VARCHAR', null],
      ])
    }
  })

  it('keeps the rows that are there; values of another type are in a column beside', async () => {
    await using folder = await makeFolder()
    await using store = await openStore(folder.dir)
    const place = { scope: 'slice-3', name: 'rtt', sliver: '3@1' }
    await store.append(fromNode([aSample(1, { ...place, fields: { lost: 1, rtt_s: 2 } })]))
    expect(await store.declare(declared)).toBeNull()
    const fitting = { lost: true, rtt_s: 3, peer: 'n2', run: 'r' }
    await store.append(fromNode([aSample(2, { ...place, fields: fitting })]))
    const [table] = await store.list()
    expect(table?.columns.map(({ name, type }) => `${name} ${type}`)).toEqual(
      expect.arrayContaining(['lost BOOLEAN', 'lost_as_number DOUBLE', 'rtt_s DOUBLE']),
    )
    const asked = { scope: 'slice-3', name: 'rtt', after: 0, run: null, limit: 10 }
    const { batch } = await store.rows(asked)
    const column = batch?.columns.indexOf('lost') ?? -1
    expect(batch?.rows.map((row) => row[column])).toEqual([null, true])
  })

  it('keeps its types after a restart, whatever samples come', async () => {
    await using folder = await makeFolder()
    {
      await using store = await openStore(folder.dir)
      expect(await store.declare(declared)).toBeNull()
    }
    await using store = await openStore(folder.dir)
    const others = [{ rtt_s: 'late' }, { rtt_s: u64 }, { rtt_s: u64, lost: 1 }, { peer: 2 }]
    await store.append(
      fromSlice(
        1,
        [...others, ...others].map((each) => ({ fields: each })),
      ),
    )
    const [table] = await store.list()
    expect(table?.columns.slice(8).map(({ name, type }) => `${name} ${type}`)).toEqual(
      expect.arrayContaining(['rtt_s DOUBLE', 'lost BOOLEAN', 'peer VARCHAR', 'run VARCHAR']),
    )
    expect(await readAll(store, 'rtt', 'slice-3')).toMatchObject([
      ...[
        { rtt_s: null, rtt_s_as_text: 'late' },
        { rtt_s: null, rtt_s_as_integer: u64 },
      ],
      ...[
        { lost: null, lost_as_number: 1 },
        { peer: null, peer_as_number: 2 },
      ],
      ...[{}, {}, {}, {}],
    ])
  })

  it('is refused in words beyond the bounds of its slice, and then makes nothing', async () => {
    await using folder = await makeFolder()
    const bounds = { measurementsPerScope: 1 }
    await using store = await openStore(folder.dir, { bounds })
    const two = [...declared.measurements, { name: 'other', fields }]
    expect(await store.declare({ ...declared, measurements: two })).toContain('may have 1')
    expect(await store.list()).toEqual([])
  })
})
