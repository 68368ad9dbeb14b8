import type { IncomingMessage } from 'node:http'
import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import { HealthSamples } from '../../../../kernel/src/run/health.ts'
import { openSession } from '../../../../kernel/src/session.ts'
import { openHealthDataset, type HealthDataset } from '../../../../server/src/dataset/publisher.ts'
import { datasetRoutes } from '../../../../server/src/route/datasets.ts'
import { startApp } from '../../server/telemetry/app.ts'
import { aSample, fromNode, makeFolder } from '../../server/telemetry/world.ts'

const first = Date.parse('2026-05-04T00:00:00Z')
const hourMs = 3_600_000
const never = new AbortController().signal
const from = new Date(first + 11 * hourMs)
const to = new Date(first + 48 * hourMs)

const clock = {
  ...{ error_s: 0.01, drift_ratio: 0, drift_error_ratio: 0 },
  ...{ wall_s: 0, epoch: 1, boot_id: 'a' },
}

let folder: Awaited<ReturnType<typeof makeFolder>>
let cache: string
beforeEach(async () => {
  folder = await makeFolder()
  vi.stubEnv('XDG_CACHE_HOME', folder.dir)
  cache = join(folder.dir, 'community-lab', 'node-health')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await folder[Symbol.asyncDispose]()
})

/** A server that publishes what it stores, on 5 May at half past midnight, and a session of the library connected to it. */
async function startWorld() {
  const made: HealthDataset[] = []
  const server = await startApp(join(folder.dir, 'store'), {
    async more(app) {
      const dataset = await openHealthDataset({
        dir: join(folder.dir, 'dataset'),
        store: app.telemetry,
        recorded: ({ fromMs, toMs }) =>
          Promise.resolve([
            {
              name: 'node_states',
              columns: [
                ['time', 'TIMESTAMP WITH TIME ZONE'],
                ['node', 'VARCHAR'],
                ['state', 'VARCHAR'],
              ],
              rows: [12, 25, 26]
                .map((hour) => first + hour * hourMs)
                .filter((ms) => ms >= fromMs && ms < toMs)
                .map((ms) => [new Date(ms), 'n1', 'production']),
              isCut: false,
            },
          ]),
        software: 'test',
        now: () => first + 24.6 * hourMs,
      })
      datasetRoutes(app, dataset)
      made.push(dataset)
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  const session = openSession(
    takeCredentials({ url, token: 'operator' }),
    ensureSshKey(join(folder.dir, 'keys')),
  )
  const requests: URL[] = []
  server.app.server.on('request', (request: IncomingMessage) => {
    requests.push(new URL(request.url ?? '', url))
  })
  let seq = 0
  return {
    session,
    requests,
    filesFetched: () => requests.filter(({ pathname }) => pathname.endsWith('.parquet')).length,
    publish: () => Promise.all(made.map((each) => each.publish(never))),
    /** Store a sample at a time that its node tells; with an offset, what the node knows of its clock. */
    add: (hour: number, offsetS: number | null = null) =>
      server.app.telemetry.append(
        fromNode([
          aSample(++seq, {
            timeUs: (first + hour * hourMs) * 1000,
            ...(offsetS === null
              ? { name: 'node_health', fields: { load1: hour } }
              : { name: 'clock', fields: { ...clock, offset_s: offsetS } }),
          }),
        ]),
      ),
    async [Symbol.asyncDispose]() {
      await session.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

const hoursOf = async (health: HealthSamples) =>
  (await health.sql<{ load1: number }>`select load1 from node_health order by time`).map(
    ({ load1 }) => load1,
  )

it('reads finished days from the public dataset and the rest from the store, each row once', async () => {
  await using world = await startWorld()
  for (const hour of [10, 12, 23, 25]) await world.add(hour)
  await world.publish()
  await using health = new HealthSamples(world.session, { from, to })
  expect(await hoursOf(health)).toEqual([12, 23, 25])
  // What is not published yet is asked of the server.
  expect(await health.sql`select time, node, state from node_states order by time`).toEqual(
    [12, 25, 26].map((hour) => ({
      ...{ time: new Date(first + hour * hourMs), node: 'n1', state: 'production' },
    })),
  )
  const stored = world.requests.filter(({ pathname }) => pathname.endsWith('/parquet'))
  expect(stored.map(({ searchParams }) => searchParams.get('from'))).toEqual([
    '2026-05-05T00:00:00.000Z',
  ])
  await world.add(26)
  expect(await hoursOf(health)).toEqual([12, 23, 25, 26])
  expect((await health.tables()).map(({ name, rows }) => [name, rows])).toEqual([
    ['node_health', 4],
    ['node_states', 3],
  ])
})

it('fetches a file once, and again when it is damaged or another version was published', async () => {
  await using world = await startWorld()
  await world.add(12)
  await world.publish()
  const read = async () => {
    await using health = new HealthSamples(world.session, { from, to })
    return await hoursOf(health)
  }
  expect(await read()).toEqual([12])
  expect(world.filesFetched()).toBe(2)
  expect(await read()).toEqual([12])
  expect(world.filesFetched()).toBe(2)

  for (const name of await readdir(cache)) await truncate(join(cache, name), 5)
  expect(await read()).toEqual([12])
  expect(world.filesFetched()).toBe(4)

  await world.add(13)
  await world.publish()
  expect(await read()).toEqual([12, 13])
  await rm(cache, { recursive: true })
  expect(await read()).toEqual([12, 13])
  expect((await readdir(cache)).length).toBe(2)
})

it.each([
  ['ahead', -1],
  ['behind', 1],
])(
  'has each row once, at the server’s time, when the clock of its node is two hours %s',
  async (_, sign) => {
    await using world = await startWorld()
    const hours = [12, 21.5, 22.5, 23.5, 24.5, 25.5, 26.5].map((hour) => hour - sign * 2)
    await world.add((hours[0] ?? 0) - 0.4, sign * 2 * 3600)
    for (const hour of hours) await world.add(hour)
    await world.publish()
    await using health = new HealthSamples(world.session, { from, to })
    const read = async () => {
      const rows = await health.sql<{
        time: Date
        node_hour: number
        error: number
        kept: boolean
      }>`
      select time, load1 as node_hour, round(time_error_s, 3) as error, time_node = time - ${sign * 2} * interval 1 hour as kept
      from node_health order by time`
      return rows.map(({ time, node_hour: hour, error, kept }) => [
        ...[(time.getTime() - first) / hourMs - sign * 2 - hour, hour, error, kept],
      ])
    }
    expect(await read()).toEqual(hours.map((hour) => [0, hour, 0.01, true]))
    const late = 30 - sign * 2
    await world.add(late)
    expect(await read()).toEqual([...hours, late].map((hour) => [0, hour, 0.01, true]))
  },
)

it('reads everything from the store when nothing is published', async () => {
  await using world = await startWorld()
  await world.add(12)
  await using health = new HealthSamples(world.session, { from, to })
  expect(await hoursOf(health)).toEqual([12])
  // What nobody has measured yet has its table, with its columns.
  expect(await health.sql`select sliver_id, cpu_seconds_total from sliver_health`).toEqual([])
})
