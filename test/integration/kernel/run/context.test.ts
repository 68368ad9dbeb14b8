import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
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
  await server.app.telemetry.append(
    fromNode([
      aSample(1, { name: 'node_health', timeUs: at(0), fields: { load1: 0.5 } }),
      aSample(2, {
        name: 'rtt',
        timeUs: at(4),
        scope,
        sliver: '3@1',
        fields: { run: run.id, rtt_s: 1 },
      }),
      aSample(3, { name: 'node_health', timeUs: at(10), fields: { load1: 7 } }),
      aSample(4, {
        name: 'rtt',
        timeUs: at(12),
        scope,
        sliver: '3@1',
        fields: { run: run.id, rtt_s: 2 },
      }),
      aSample(5, { name: 'node_health', timeUs: at(86_400), fields: { load1: 9 } }),
      aSample(6, {
        name: 'rtt',
        timeUs: at(13),
        scope,
        sliver: '3@1',
        fields: { run: 'other', rtt_s: 3 },
      }),
    ]),
  )
  const parts = run.parts.map((part) => ({ ...part, ended_on: '2026-05-04T12:01:00Z' }))
  const slice = { ...run.slice, id: 3 }
  const made = { ...run, slice, parts, created_on: '2026-05-04T11:59:50Z' }
  await using context = new Run(session, made).context()
  const joined = await context.sql`
    select rtt_s, load1 from rtt asof left join context.node_health health
      on rtt.node = health.node and rtt.time >= health.time order by rtt_s`
  expect(joined).toEqual([
    { rtt_s: 1, load1: 0.5 },
    { rtt_s: 2, load1: 7 },
  ])
  expect(await context.tables()).toEqual([
    { name: 'rtt', rows: 2 },
    { name: 'context.node_health', rows: 2 },
  ])
  await expect(context.sql`from context.node_helth`).rejects.toThrow('context.node_health')
  await session.close()
})
