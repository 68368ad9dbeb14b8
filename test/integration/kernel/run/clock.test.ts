import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { expect, it } from 'vitest'
import { openNodeClock } from '../../../../agent/src/clock/node-clock.ts'
import { nowUs, type Sample } from '../../../../agent/src/measurement/sample.ts'
import { correctTimes, createClockTables, lineWaitS } from '@community-lab/contract/samples'
import { readLosses } from '../../../../kernel/src/run/losses.ts'
import { startSamples } from './world.ts'

interface ClockRow {
  readonly timeUs: number
  readonly nodeId?: number
  readonly fields: Readonly<Record<string, unknown>>
}

const columns = [
  'offset_s',
  'error_s',
  'drift_ratio',
  'drift_error_ratio',
  'wall_s',
  'step_s',
  'unsure_s',
  'moved_s',
  'epoch',
]

async function withDatabase(work: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await work(connection)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Correct samples at these times of a node by rows of its clock. Times in microseconds; null where nothing is known. */
async function correct(
  connection: DuckDBConnection,
  clock: readonly ClockRow[],
  samples: readonly { readonly timeUs: number; readonly nodeId?: number }[],
) {
  const values = clock.map(({ timeUs, nodeId = 1, fields }, index) => {
    const numbers = columns.map((column) => `${Number(fields[column] ?? Number.NaN)}`)
    const boot = typeof fields['boot_id'] === 'string' ? fields['boot_id'] : 'a'
    return `(make_timestamptz(${timeUs}), ${nodeId}, ${index + 1}, '${boot}', ${numbers.map((number) => (number === 'NaN' ? 'null::double' : `${number}::double`)).join(', ')})`
  })
  const source = `(values ${values.join(', ')}) as v(time, node_id, landed, boot_id, ${columns.join(', ')})`
  // The first half has landed when the samples are corrected first, and the rest later.
  const half = `(select * from ${source} where landed <= ${Math.ceil(clock.length / 2)})`
  for (const sql of createClockTables(half, { isWhole: true })) await connection.run(sql)
  await connection.run(
    `create or replace table s as select make_timestamptz(us) as time, id as node_id, null::varchar as sliver, make_timestamptz(us) as time_node,
       null::double as time_error_s, null::double as clock_offset_s, null::double as clock_error_s, null::boolean as clock_step
     from (values ${samples.map(({ timeUs, nodeId = 1 }) => `(${timeUs}::bigint, ${nodeId})`).join(', ')}) as v(us, id)`,
  )
  await connection.run(correctTimes('s'))
  for (const sql of createClockTables(source, { isWhole: false })) await connection.run(sql)
  await connection.run(correctTimes('s'))
  const reader = await connection.runAndReadAll(
    'select epoch_us(time), time_error_s, clock_offset_s, clock_step, epoch_us(time_node) from s',
  )
  return reader.getRowsJS().map(([time, error, offset, isStep, node]) => ({
    timeUs: Number(time),
    errorS: error === null ? null : Number(error),
    offsetS: offset === null ? null : Number(offset),
    isStep,
    nodeUs: Number(node),
  }))
}

const t = 1_800_000_000_000_000
const known = { offset_s: 2, error_s: 0.01, drift_ratio: 0, drift_error_ratio: 1e-4, wall_s: 0 }

it('takes what the rows of clock before and after a sample say in common, and nothing from another epoch, boot or node', async () => {
  await withDatabase(async (connection) => {
    const rows = await correct(
      connection,
      [
        { timeUs: t, fields: { epoch: 1, wall_s: 0 } },
        { timeUs: t + 10e6, fields: { ...known, epoch: 1 } },
        { timeUs: t + 110e6, fields: { ...known, offset_s: 2.005, epoch: 1, wall_s: -7 } },
        { timeUs: t + 210e6, fields: { ...known, offset_s: 50, epoch: 2 } },
        { timeUs: t, nodeId: 2, fields: { ...known, offset_s: -3, drift_ratio: 5e-5, epoch: 9 } },
      ],
      [
        { timeUs: t - 1 },
        { timeUs: t },
        { timeUs: t + 10e6 },
        { timeUs: t + 60e6 },
        { timeUs: t + 160e6 },
        { timeUs: t + 100e6, nodeId: 2 },
        { timeUs: t + 100e6, nodeId: 3 },
      ],
    )
    const errors = rows.map(({ errorS }) => errorS)
    // Before all: unknown. At the first: 10 s before [1.99, 2.01], so [1.989, 2.011]. At the second, itself: [1.99, 2.01]; the third allows [1.985, 2.025].
    // Between, [1.985, 2.015] and [1.990, 2.020] have [1.990, 2.015] in common. After the third: 50 s, and the next one is of another epoch.
    expect(errors[0]).toBeNull()
    expect(rows[0]?.timeUs).toBe(t - 1)
    expect(errors[1]).toBeCloseTo(0.011, 9)
    expect(errors[2]).toBeCloseTo(0.01, 9)
    expect(errors[3]).toBeCloseTo(0.0125, 9)
    expect(rows[3]?.timeUs).toBe(t + 60e6 + 2_002_500)
    expect(rows[3]?.nodeUs).toBe(t + 60e6)
    expect(errors[4]).toBeCloseTo(0.015, 9)
    expect(rows[4]?.offsetS).toBeCloseTo(9.005, 9)
    expect(rows[5]?.timeUs).toBe(t + 100e6 - 3_000_000 + 5_000)
    expect(errors[5]).toBeCloseTo(0.02, 9)
    expect(errors[6]).toBeNull()
    expect(rows.map(({ isStep }) => isStep)).toEqual(Array(7).fill(false))
  })
})

it('gives samples of an agent on a bad day the right time within their error, and flags exactly those that were taken while a step was not noticed yet', async () => {
  // What really happened: all clocks are known here. The node's crystal is 60 ppm too fast, and exchanges take up to 200 ms in either direction.
  let trueUs = t
  let isSet = -40e6
  const crystal = (): number => (trueUs - t) * (1 + 60e-6) + 5e9
  const clock: ClockRow[] = []
  let seed = 7
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  const node = openNodeClock({
    bootId: 'boot',
    source: {
      rate: 1,
      aheadUs: 0,
      monotonicUs: crystal,
      wallUs: () => Math.floor((crystal() - 5e9 + t + isSet) / 1000) * 1000,
      programWallUs: () => Math.floor((crystal() - 5e9 + t + isSet) / 1000) * 1000,
    },
    spool: {
      append: (rows: readonly Sample[]) =>
        clock.push(...rows.map(({ time_us: timeUs, fields }) => ({ timeUs, fields }))) > 0,
      mark: () => undefined,
    },
    problems: { set: () => undefined, clear: () => undefined },
    tellCatcher: () => true,
  })
  const truth: { readonly timeUs: number; readonly trueUs: number; readonly isStep: boolean }[] = []
  const write = (isStep: boolean) => truth.push({ timeUs: nowUs(), trueUs, isStep })
  const exchange = (): void => {
    const sentUs = node.monotonicUs()
    trueUs += 500 + random() ** 4 * 200_000
    const serverUs = Math.floor(trueUs / 1000) * 1000
    trueUs += 500 + random() ** 4 * 200_000
    const answer = { type: 'time' as const, sent_us: sentUs, server_us: serverUs }
    node.take({ ...answer, resolution_us: 1000 }, node.monotonicUs())
  }
  for (let round = 0; round < 400; round++) {
    if (round % 8 === 3) exchange()
    for (let i = 0; i < 4; i++) {
      trueUs += 400_000
      write(false)
    }
    node.look()
    // Somebody sets the clock 100 ms after a look: 20 s ahead, then 30 s back, then by a day.
    const byUs = new Map([
      [100, 20e6],
      [200, -30e6],
      [300, -86_400e6],
    ]).get(round)
    if (byUs === undefined) continue
    trueUs += 100_000
    write(true)
    isSet += byUs
    trueUs += 50_000
    write(true)
    node.look()
    if (round !== 200) exchange()
  }
  await withDatabase(async (connection) => {
    const rows = await correct(connection, clock, truth)
    expect(rows).toHaveLength(truth.length)
    let worstS = 0
    for (const [index, row] of rows.entries()) {
      const real = truth[index]
      expect(row.isStep).toBe(real?.isStep)
      expect(row.errorS).not.toBeNull()
      const errorS = row.errorS ?? 0
      expect(Math.abs(row.timeUs - (real?.trueUs ?? 0)) / 1e6).toBeLessThanOrEqual(errorS + 2e-6)
      worstS = Math.max(worstS, errorS)
    }
    expect(worstS).toBeLessThan(0.2)
  })
})

it('is in the tables of a query and in Parquet, and follows what lands later; null where no clock is known, and the server’s units', async () => {
  await using world = await startSamples()
  const at = new Date('2026-03-01T12:00:00Z')
  const database = world.openDatabase()
  await world.add({ i: 1 }, at)
  const sql = (strings: TemplateStringsArray) => database.query(strings, [])
  const read = () => sql`select i, time, time_node, time_error_s, clock_step from probe order by i`
  expect(await read()).toEqual([
    { i: 1, time: at, time_node: at, time_error_s: null, clock_step: null },
  ])
  await world.add({ ...known, epoch: 1, boot_id: 'a' }, new Date(at.getTime() + 10_000), 'clock')
  await world.add({ i: 2 }, new Date(at.getTime() + 20_000))
  await world.add({ i: 3 }, new Date(at.getTime() + 30_000))
  expect(await read()).toMatchObject([
    { i: 1, time: at, time_error_s: null },
    { i: 2, time: new Date(at.getTime() + 22_000), time_node: new Date(at.getTime() + 20_000) },
    { i: 3, time_error_s: expect.closeTo(0.012, 9) as number, clock_step: false },
  ])
  await world.add(
    { ...known, error_s: 0.001, epoch: 1, boot_id: 'a' },
    new Date(at.getTime() + 30_001),
    'clock',
  )
  const [, , third] = await read()
  expect(third?.['time_error_s']).toBeCloseTo(0.001, 6)
  const written = await database.writeParquet('probe', `${world.dir}/probe.parquet`)
  expect(written.columns).toContainEqual({ name: 'time_error_s', type: 'DOUBLE', unit: 's' })
  expect(lineWaitS).toBeLessThan(0.01)
  await database.close()
})

it.each([
  ['an hour behind', -3600],
  ['an hour ahead', 3600],
  ['not known', null],
])(
  'rows and refused lines without a run are those of its sliver from its beginning to its end, when the clock of its node is %s',
  async (_, aheadS) => {
    await using world = await startSamples()
    const startMs = Date.now()
    const other = (aheadS ?? 0) * 1000
    // A time of the node's clock, `s` seconds after the run began.
    const at = (s: number): Date => new Date(startMs + other + s * 1000)
    const clock = { ...known, error_s: 0.001, offset_s: -(aheadS ?? 0), epoch: 1, boot_id: 'a' }
    const line = (i: number, s: number, sliver = '1@1') =>
      world.add({ line: `${i}`, reason: 'odd', lines: 1 }, at(s), 'rejected', { sliver })
    const row = (i: number, s: number, sliver = '1@1') =>
      world.add({ i }, at(s), 'probe', { sliver })
    if (aheadS !== null) await world.add(clock, at(-30), 'clock')
    // Of another run in the same sliver; the node was offline, so they land after the run was asked for.
    await line(1, -5)
    await row(1, -5)
    await line(2, 0.5)
    await row(2, 0.5)
    await line(3, 20)
    await row(3, 20)
    await row(4, 20, '2@2')
    await world.add({ run: 'r', exit_code: 0 }, at(20), 'run_end', { sliver: '1@1' })
    const end = await world.lastLanded()
    await line(5, 20.5)
    await row(5, 20.5)
    let endLanded: number | null = null
    const database = world.openRun('r', () => ({
      notBeforeMs: startMs - 100_000,
      parts: [{ sliver: '1@1', nodeId: 1, startedMs: at(0).getTime(), endedMs: null, endLanded }],
      notAfterMs: startMs + 3_000_000,
    }))
    const sql = (strings: TemplateStringsArray) => database.query<{ i: number }>(strings, [])
    const read = async () => ({
      rows: (await sql`select i from probe order by i`).map(({ i }) => i),
      lines: (await readLosses(database))?.map(({ line: text }) => text),
    })
    expect(await read()).toEqual({ rows: [2, 3, 5], lines: ['2', '3', '5'] })
    endLanded = end
    expect(await read()).toEqual({ rows: [2, 3], lines: ['2', '3'] })
    await database.close()
  },
)

it('a clock that was set far forward takes no rows from a run of a virtual node, whose start is told by the clock of its machine', async () => {
  await using world = await startSamples()
  const startMs = Date.now()
  // The node's clock was an hour behind, and is an hour ahead since half a minute.
  const at = (s: number): Date => new Date(startMs + 3_600_000 + s * 1000)
  const before = { ...known, error_s: 0.001, offset_s: 3600, epoch: 1, boot_id: 'a' }
  await world.add(before, new Date(startMs - 3_640_000), 'clock')
  // A row of a run before, by the clock of then.
  await world.add({ i: 0 }, new Date(startMs - 3_638_000), 'probe', { sliver: '1@1' })
  const step = { wall_s: 0, step_s: 7200, unsure_s: 0.2, moved_s: 7200, epoch: 2, boot_id: 'a' }
  await world.add(step, at(-35), 'clock')
  await world.add({ ...before, offset_s: -3600, epoch: 2 }, at(-30), 'clock')
  await world.add({ i: 1 }, at(1), 'probe', { sliver: '1@1' })
  const part = { sliver: '1@1', nodeId: 1, startedMs: startMs, endedMs: null, endLanded: null }
  const database = world.openRun('r', () => ({
    ...{ notBeforeMs: startMs - 10_000, parts: [part], notAfterMs: null },
  }))
  const sql = (strings: TemplateStringsArray) => database.query(strings, [])
  expect(await sql`select i, time from probe`).toEqual([{ i: 1, time: new Date(startMs + 1000) }])
  await database.close()
})
