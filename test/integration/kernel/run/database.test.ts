import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import type { SampleDatabase } from '../../../../kernel/src/run/database.ts'
import { SampleTables } from '../../../../kernel/src/run/sample-tables.ts'
import type { SqlValue } from '../../../../kernel/src/run/value.ts'
import { openSession } from '../../../../kernel/src/session.ts'
import { makeFolder } from '../../server/telemetry/world.ts'
import { startSamples } from './world.ts'

const run = promisify(execFile)
const interruptSymbol = Symbol.for('community-lab.interrupt')

function sqlOf(database: SampleDatabase) {
  return (strings: TemplateStringsArray, ...values: readonly SqlValue[]) =>
    database.query(strings, values)
}

describe('times', () => {
  it('are the same instants, days and hours in every time zone', async () => {
    await using world = await startSamples()
    await using folder = await makeFolder()
    await world.add({ i: 1 }, new Date('2026-01-01T01:00:00Z'))
    await world.add({ i: 2 }, new Date(Date.now() - 60_000))
    await world.add({ i: 3 }, new Date(Date.now() - 3_600_000))
    const program = fileURLToPath(new URL('time-program.ts', import.meta.url))
    const zones = { UTC: 0, 'Pacific/Auckland': 12, 'America/Los_Angeles': 16 }
    for (const [zone, epochHour] of Object.entries(zones)) {
      const env = { ...process.env, TZ: zone }
      const { stdout } = await run(process.execPath, [program, world.url, folder.dir], { env })
      expect({ tz: zone, ...(JSON.parse(stdout) as object) }).toMatchObject({
        tz: zone,
        zone: epochHour,
        future: [],
        recent: [{ seq: 2 }],
        since: [{ seq: 1 }],
        day: [{ n: 1 }],
        hour: [{ hour: 1, day: '2026-01-01T00:00:00.000Z', text: '2026-01-01 01:00:00+00' }],
        date: [{ is_utc: true }],
      })
    }
  })

  it('have their zone in a Parquet file', async () => {
    await using world = await startSamples()
    await using folder = await makeFolder()
    await world.add({ i: 1 })
    const file = `${folder.dir}/new/probe.parquet`
    const written = await world.openDatabase().writeParquet('probe', file)
    expect(written.columns[0]).toEqual({
      name: 'time',
      type: 'TIMESTAMP WITH TIME ZONE',
      unit: null,
    })
    expect(await readdir(`${folder.dir}/new`)).toEqual(['probe.parquet'])
  })
})

describe('a query', () => {
  it('takes lists (also empty ones), intervals and limits as values', async () => {
    await using world = await startSamples()
    for (const peer of ['n1', 'n2', 'n3']) await world.add({ peer })
    const sql = sqlOf(world.openDatabase())
    expect(await sql`select peer from probe where peer in (${['n1', 'n3']}) order by 1`).toEqual([
      { peer: 'n1' },
      { peer: 'n3' },
    ])
    expect(await sql`select peer from probe where peer in (${[]})`).toEqual([])
    expect(await sql`select peer from probe where peer not in (${[]})`).toHaveLength(3)
    expect(await sql`select peer from probe where seq = any(${[1, 2.5]})`).toHaveLength(1)
    expect(await sql`select seq from probe where seq in (${[]}) or time in (${[]})`).toEqual([])
    expect(
      await sql`select peer from probe where time > now() - interval ${5} minutes limit ${2}`,
    ).toHaveLength(2)
    expect(
      await sql`select peer from probe where time > now() - interval ${'1 hour'}`,
    ).toHaveLength(3)
    expect(await sql`select count(*) as n from query_table(${'probe'})`).toEqual([{ n: 3 }])
  })

  it('groups by an expression that contains a value', async () => {
    await using world = await startSamples()
    await world.add({ i: 1 }, new Date('2026-01-01T01:02:00Z'))
    await world.add({ i: 2 }, new Date('2026-01-01T01:04:00Z'))
    const sql = sqlOf(world.openDatabase())
    const minutes = 5
    expect(
      await sql`select time_bucket(interval ${minutes} minutes, time) as time, count(*) as n
        from probe group by time_bucket(interval ${minutes} minutes, time)`,
    ).toEqual([{ time: new Date('2026-01-01T01:00:00Z'), n: 2 }])
  })

  it('takes times as Dates, and gives a hint where a number is compared with a time', async () => {
    await using world = await startSamples()
    await world.add({ i: 1 })
    const sql = sqlOf(world.openDatabase())
    const from = new Date(Date.now() - 60_000)
    expect(await sql`from probe where time between ${from} and ${new Date()}`).toHaveLength(1)
    expect(await sql`from probe where time not in (${[from]})`).toHaveLength(1)
    await expect(sql`from probe where time > ${Date.now() - 60_000}`).rejects.toThrow(
      /write \$\{new Date/u,
    )
    await expect(sql`from probe where time > ${'no time'}`).rejects.toThrow(/no time/u)
  })

  it('gives a column one type in all rows, and loses no digit', async () => {
    await using world = await startSamples()
    const sql = sqlOf(world.openDatabase())
    expect(await sql`select unnest([1, 2, null]) as i`).toEqual([{ i: 1 }, { i: 2 }, { i: null }])
    expect(await sql`select unnest([1, 9007199254740993, null]) as i`).toEqual([
      { i: 1n },
      { i: 9007199254740993n },
      { i: null },
    ])
    expect(
      await sql`select [1, 9007199254740993] as list, 0.1 as small, 1234567890.12345678 as large`,
    ).toEqual([{ list: [1n, 9007199254740993n], small: 0.1, large: '1234567890.12345678' }])
  })

  it('has a JavaScript value for every type, or says what to cast', async () => {
    await using world = await startSamples()
    const sql = sqlOf(world.openDatabase())
    const [row] =
      await sql`select 3::hugeint as h, uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' as u,
      'ab'::blob as b, '0101'::bit as bits, interval '1 day 90 seconds' as span, time '10:11:12.5' as t,
      timetz '10:00:00+02' as tz, [1, 2] as list, {a: 1, b: [2]} as struct, map {'x': 1} as m,
      union_value(num := 2) as un, 'x'::enum('x', 'y') as e, '{"a":1}'::json as j,
      date '2026-01-01' as d, timestamp_ns '2026-01-01 00:00:00.123456789' as ns,
      timestamp '1969-12-31 23:59:59.9995' as before, true as yes, null as nothing`
    expect(row).toEqual({
      h: 3,
      u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      b: new Uint8Array([97, 98]),
      bits: '0101',
      span: '1 day 00:01:30',
      t: '10:11:12.5',
      tz: '10:00:00+02',
      list: [1, 2],
      struct: { a: 1, b: [2] },
      m: [{ key: 'x', value: 1 }],
      un: { tag: 'num', value: 2 },
      e: 'x',
      j: '{"a":1}',
      d: new Date('2026-01-01'),
      ns: new Date('2026-01-01T00:00:00.123Z'),
      before: new Date('1969-12-31T23:59:59.999Z'),
      yes: true,
      nothing: null,
    })
    await expect(sql`select timestamp 'infinity' as until`).rejects.toThrow(
      /column "until" of the result holds the time infinity.*write "until"::varchar/u,
    )
    await expect(sql`select date '-infinity' as d`).rejects.toThrow(/the time -infinity/u)
    await expect(sql`select timestamptz '290000-01-01 00:00:00+00' as far`).rejects.toThrow(
      /275760/u,
    )
    await expect(sql`select 1::variant as v`).rejects.toThrow(/a VARIANT.*"v"::json/u)
    await expect(sql`select row(1, 2) as r`).rejects.toThrow(/struct_pack/u)
  })

  it('ends when its cell is interrupted, and the next one runs', async () => {
    await using world = await startSamples()
    await world.add({ i: 1 })
    const sql = sqlOf(world.openDatabase())
    expect(await sql`from probe`).toHaveLength(1)
    const button = new AbortController()
    Reflect.set(globalThis, interruptSymbol, button.signal)
    const endless = sql`select count(*) from range(1000000) a, range(10000000) b where a.range + b.range = 7`
    const waiting = sql`select 1`
    button.abort()
    Reflect.deleteProperty(globalThis, interruptSymbol)
    await expect(endless).rejects.toThrow(/abort/iu)
    await expect(waiting).rejects.toThrow(/abort/iu)
    // This would wait for the endless query if that went on.
    expect(await sql`select i from probe`).toEqual([{ i: 1 }])
  })
})

describe('a later query', () => {
  it('fetches only new samples', async () => {
    await using world = await startSamples()
    for (const i of [1, 2, 3]) await world.add({ i })
    const sql = sqlOf(world.openDatabase())
    const [third] = await sql`select landed from probe where i = 3`
    expect(await sql`from probe`).toHaveLength(3)
    await world.add({ i: 4, note: 'a new column' })
    expect(await sql`select i, note from probe order by i`).toEqual([
      { i: 1, note: null },
      { i: 2, note: null },
      { i: 3, note: null },
      { i: 4, note: 'a new column' },
    ])
    expect(await sql`from probe`).toHaveLength(4)
    expect(world.fetched).toEqual(['', `?after=${String(third?.['landed'])}`])
  })

  it('restores a table that the notebook has dropped or changed', async () => {
    await using world = await startSamples()
    await world.add({ i: 1 })
    const sql = sqlOf(world.openDatabase())
    await sql`drop table probe`
    expect(await sql`select i from probe`).toEqual([{ i: 1 }])
    await sql`drop table probe`
    await world.add({ i: 2 })
    expect(await sql`select i from probe order by i`).toEqual([{ i: 1 }, { i: 2 }])
    await sql`alter table probe alter i type varchar`
    await world.add({ i: 3 })
    expect(await sql`select i from probe order by i`).toEqual([{ i: 1 }, { i: 2 }, { i: 3 }])
  })
})

describe('a refresh that fails', () => {
  it('adds no row twice when it was interrupted after it had added rows', async () => {
    await using world = await startSamples()
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    let isInterrupted = false
    const interruptible = new Proxy(connection, {
      get(target, name) {
        if (name !== 'runAndReadAll') return bound(target, name)
        return (sql: string) =>
          isInterrupted && sql.startsWith('select count(*)')
            ? Promise.reject(new Error('INTERRUPT Error: Interrupted!'))
            : target.runAndReadAll(sql)
      },
    })
    const tables = new SampleTables(world.session, { scope: 'node' }, interruptible)
    const { signal } = new AbortController()
    await world.add({ i: 1 })
    await tables.refresh(signal)
    await world.add({ i: 2 })
    isInterrupted = true
    await expect(tables.refresh(signal)).rejects.toThrow('Interrupted')
    isInterrupted = false
    await tables.refresh(signal)
    const reader = await connection.runAndReadAll('select i::integer from probe order by i')
    expect(reader.getRowsJS()).toEqual([[1], [2]])
    connection.closeSync()
    instance.closeSync()
  })

  it('ends after everything that it has begun', async () => {
    const steps: string[] = []
    const app = Fastify()
    const measurement = { scope: 'node', columns: [], rows: 1, first_time: null, last_time: null }
    app.get('/api/measurements/', () => ['bad', 'slow'].map((name) => ({ ...measurement, name })))
    app.get('/api/measurements/node/bad/parquet', () => 'no Parquet')
    app.get('/api/measurements/node/slow/parquet', async () => {
      await delay(300)
      steps.push('slow is sent')
      return 'no Parquet'
    })
    await using folder = await makeFolder()
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const key = ensureSshKey(`${folder.dir}/keys`)
    const session = openSession(takeCredentials({ url, token: 't' }), key)
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    const tables = new SampleTables(session, { scope: 'node' }, connection)
    await tables.refresh(new AbortController().signal).catch(() => steps.push('it has failed'))
    expect(steps).toEqual(['slow is sent', 'it has failed'])
    connection.closeSync()
    instance.closeSync()
    await session.close()
    await app.close()
  })
})

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}

it('has a table that is known in advance before its first sample, with all its columns whatever that contains', async () => {
  await using world = await startSamples()
  const sql = sqlOf(world.openDatabase({ probe: { rtt_s: 'DOUBLE', lost: 'BOOLEAN' } }))
  expect(await sql`select time, node, rtt_s, lost, landed from probe`).toEqual([])
  await sql`drop table probe`
  expect(await sql`select lost from probe`).toEqual([])
  await world.add({ lost: true })
  expect(await sql`select rtt_s, lost from probe`).toEqual([{ rtt_s: null, lost: true }])
  await world.add({ lost: false, rtt_s: 0.5 })
  expect(await sql`select rtt_s, lost from probe order by landed`).toEqual([
    { rtt_s: null, lost: true },
    { rtt_s: 0.5, lost: false },
  ])
})

describe('a closed database', () => {
  it('leaves no file behind, ends the running query, and opens again', async () => {
    await using world = await startSamples()
    await world.add({ i: 1 })
    const database = world.openDatabase()
    const sql = sqlOf(database)
    const [setting] = await sql`select current_setting('temp_directory') as folder`
    const folder = String(setting?.['folder'])
    await stat(folder)
    const endless = sql`select count(*) from range(1000000) a, range(10000000) b where a.range + b.range = 7`
    const refused = expect(endless).rejects.toThrow('the database was closed')
    await database.close()
    await refused
    await expect(stat(folder)).rejects.toThrow('ENOENT')
    expect(await sql`select i from probe`).toEqual([{ i: 1 }])
  })
})

it('reads from an older server: times without a zone, and all rows each time', async () => {
  await using folder = await makeFolder()
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const file = `${folder.dir}/old.parquet`
  await connection.run(
    `copy (select timestamp '2026-01-01 00:00:00' as time, 'n1' as node, range + 1 as landed from range(3)) to '${file}'`,
  )
  await using old = await startOldServer(file)
  const tables = new SampleTables(old.session, { scope: 'node' }, connection)
  const signal = new AbortController().signal
  await tables.refresh(signal)
  old.rows = 4
  await tables.refresh(signal)
  const reader = await connection.runAndReadAll(
    'select typeof(time), count(*)::integer from old group by all',
  )
  expect(reader.getRowsJS()).toEqual([['TIMESTAMP WITH TIME ZONE', 3]])
  connection.closeSync()
  instance.closeSync()
})

/** Start a server that does not know `after` and sends the same file each time. */
async function startOldServer(file: string) {
  const app = Fastify()
  const old = { rows: 3 }
  app.get('/api/measurements/', () => [
    { scope: 'node', name: 'old', columns: [], rows: old.rows, first_time: null, last_time: null },
  ])
  app.get('/api/measurements/node/old/parquet', () => readFile(file))
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const session = openSession(takeCredentials({ url, token: 't' }), ensureSshKey(`${file}.keys`))
  return Object.assign(old, {
    session,
    async [Symbol.asyncDispose]() {
      await session.close()
      await app.close()
    },
  })
}
