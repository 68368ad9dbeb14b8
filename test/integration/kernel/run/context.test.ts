import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { count, integer, optional, point, seconds, type FieldValue } from '@community-lab/contract'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import { Run } from '../../../../kernel/src/run/run.ts'
import { openSession } from '../../../../kernel/src/session.ts'
import { startApp } from '../../server/telemetry/app.ts'
import { aSample, fromNode, makeFolder } from '../../server/telemetry/world.ts'
import { aRun } from '../world/runs.ts'

const noon = Date.parse('2026-05-04T12:00:00Z')

afterEach(() => {
  vi.unstubAllEnvs()
})

it('joins the samples of a run with what its node measured last before each', async () => {
  await using folder = await makeFolder()
  vi.stubEnv('XDG_CACHE_HOME', folder.dir)
  await using server = await startApp(join(folder.dir, 'store'))
  const url = `http://127.0.0.1:${server.port}`
  const credentials = takeCredentials({ url, token: 'operator' })
  const session = openSession(credentials, ensureSshKey(join(folder.dir, 'keys')))
  const run = aRun('ping')
  const at = (s: number) => (noon + s * 1000) * 1000
  const scope = 'slice-3'
  const ofSliver = (seq: number, name: string, s: number, fields: Record<string, FieldValue>) =>
    aSample(seq, { name, timeUs: at(s), scope, sliver: '3@1', fields })
  await server.app.telemetry.append(
    fromNode([
      aSample(1, { name: 'node_health', timeUs: at(0), fields: { load1: 0.5 } }),
      ofSliver(2, 'rtt', 4, { run: run.id, rtt_s: 1 }),
      aSample(3, { name: 'node_health', timeUs: at(10), fields: { load1: 7 } }),
      ofSliver(4, 'rtt', 12, { run: run.id, rtt_s: 2 }),
      aSample(5, { name: 'node_health', timeUs: at(86_400), fields: { load1: 9 } }),
      ofSliver(6, 'rtt', 13, { run: 'other', rtt_s: 3 }),
      ofSliver(7, 'without_run', -3600, { value: -3600 }),
      ofSliver(8, 'without_run', 14, { value: 14 }),
      ofSliver(9, 'without_run', 3600, { value: 3600 }),
    ]),
  )
  const sliver = { uri: '/api/slivers/3@1', id: '3@1' }
  const parts = run.parts.map((part) => ({
    ...{ ...part, sliver, state: 'ended' as const, ended_on: '2026-05-04T12:01:00Z' },
  }))
  const slice = { ...run.slice, id: 3 }
  const points = [
    point('rtt', { rtt_s: seconds(), seq_no: optional(integer()) }),
    point('later', { n: count() }),
  ]
  const ended = '2026-05-04T12:01:00Z'
  const made = { ...run, slice, parts, points, created_on: '2026-05-04T11:59:50Z', ended_on: ended }
  await using context = new Run(session, made).context()
  const joined = await context.sql`
    select rtt_s, load1 from rtt asof left join context.node_health health
      on rtt.node = health.node and rtt.time >= health.time order by rtt_s`
  expect(joined).toEqual([
    { rtt_s: 1, load1: 0.5 },
    { rtt_s: 2, load1: 7 },
  ])
  // What is in a run's own database is here, too: declared columns, and samples without a run of its time alone.
  expect(await context.sql`select value from without_run`).toEqual([{ value: 14 }])
  expect(await context.sql`select n from later`).toEqual([])
  expect(await context.sql`select any_value(seq_no) as seq_no from rtt`).toEqual([{ seq_no: null }])
  const tables = await context.tables()
  expect(new Map(tables.map(({ name, rows }) => [name, rows]))).toEqual(
    new Map([
      ['rtt', 2],
      ['without_run', 1],
      ['context.node_health', 2],
    ]),
  )
  await expect(context.sql`from context.node_helth`).rejects.toThrow('context.node_health')
  await session.close()
})
