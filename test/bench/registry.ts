import { setTimeout as delay } from 'node:timers/promises'
import { path, routes, sliverId } from '@community-lab/contract'
import { startServer, type ServerProcess } from '../support/server-process.ts'
import { createAsk, type Ask } from './registry/ask.ts'
import { fillRegistry, sizes, type Filled } from './registry/fill.ts'
import { printFlood } from './registry/flood.ts'
import { listReads, measureRead } from './registry/measure-reads.ts'
import { startReaders } from './registry/readers.ts'
import { printSlowReaders } from './registry/slow-readers.ts'
import { formatRounds, median, printTable } from './table.ts'

/** The goals, in milliseconds. */
const goals = { cpuMs: 20, firstPageMs: 50, slice1000Ms: 2_000, eventMs: 50 } as const
const readers = 500
const changes = 100
/** The time between two changes, in milliseconds. */
const changeEveryMs = 100

/**
 * A real server with 1,000 nodes, 500 slices, 5,000 slivers and a past as long as it keeps it. Printed: the CPU time of each list and detail, how long the first
 * page of each list takes, how long a slice of 1,000 slivers takes, and how long after a change 500 readers have its event.
 */
export async function measureRegistry(rounds: number): Promise<void> {
  // The nodes have no agents, and are in production all the same.
  await using server = await startServer(sizes.nodes, {
    OFFLINE_AFTER_S: '86400',
    LISTEN: '127.0.0.1:0',
  })
  const ask = createAsk(server.socketPath)
  const beganMs = performance.now()
  const filled = await fillRegistry(server, ask)
  console.log(`filled in ${((performance.now() - beganMs) / 1000).toFixed(0)} s`)
  const parts: Readonly<Record<string, () => Promise<void>>> = {
    reads: () => printReads(server, { ask, filled }),
    slow: () => printSlowReaders(server),
    flood: () => printFlood(server, { ask, filled, port: Number(new URL(server.url).port) }),
    slice: () => printSlice(ask, { filled, rounds }),
    events: () => printEvents(server, { ask, rounds }),
  }
  const only = process.env['BENCH_PARTS']?.split(',') ?? Object.keys(parts)
  for (const part of only) await parts[part]?.()
}

async function printReads(
  server: ServerProcess,
  { ask, filled: { operators } }: { readonly ask: Ask; readonly filled: Filled },
): Promise<void> {
  let requests = 0
  const get: Parameters<typeof measureRead>[2] = (url, headers = {}) =>
    ask(url, { token: operators[requests++ % operators.length] ?? '', headers })
  const rows: string[][] = []
  const only = process.env['BENCH_READS']?.split(',')
  // Slices are made side by side, so which one is on the first node differs.
  const first = await server.database.query<{ slice: number }>(
    'select min(slice_id) as slice from slivers where node_id = 1',
  )
  const sliver = sliverId(first.rows[0]?.slice ?? 0, 1)
  for (const read of listReads(sliver)) {
    if (only?.some((part) => read.name.includes(part)) === false) continue
    const figures = await measureRead(server, read, get)
    const isPage = read.name.endsWith('first page')
    const missed = figures.serverMs > goals.cpuMs || (isPage && figures.wallMs > goals.firstPageMs)
    rows.push([
      read.name,
      `${figures.sizeKiB.toFixed(0)} KiB`,
      `${figures.serverMs.toFixed(1)} ms`,
      `${figures.postgresMs.toFixed(1)} ms`,
      `${figures.wallMs.toFixed(1)} ms`,
      `${figures.unchangedMs.toFixed(1)} ms`,
      missed ? 'missed' : 'met',
    ])
  }
  printTable(
    [
      'read',
      'size',
      `server (${goals.cpuMs} ms)`,
      'PostgreSQL',
      `answer (first page: ${goals.firstPageMs} ms)`,
      'server, 304',
      'goal',
    ],
    rows,
  )
}

async function printSlice(
  ask: Ask,
  { filled, rounds }: { readonly filled: Filled; readonly rounds: number },
): Promise<void> {
  const nodes = Array.from({ length: 1_000 }, (_, index) => `n${index + 1}`)
  const token = filled.researcher
  const seconds: number[] = []
  for (let round = 0; round < rounds; round++) {
    const body = { name: 'large', template: 'tiny', nodes }
    const beganMs = performance.now()
    const { body: made } = await ask(routes.sliceEnsure, { method: 'PUT', token, body })
    seconds.push((performance.now() - beganMs) / 1000)
    const { slice } = JSON.parse(made.toString()) as { slice: { uri: string } }
    await ask(slice.uri, { method: 'DELETE', token })
  }
  const isMet = median(seconds) * 1000 <= goals.slice1000Ms
  printTable(
    ['what', `goal`, 'measured', 'goal'],
    [
      [
        '1,000 slivers of one slice',
        `${goals.slice1000Ms / 1000} s`,
        formatRounds(seconds),
        isMet ? 'met' : 'missed',
      ],
    ],
  )
}

async function printEvents(
  server: ServerProcess,
  { ask, rounds }: { readonly ask: Ask; readonly rounds: number },
): Promise<void> {
  const { socketPath, operator } = server
  await using reading = await startReaders(socketPath, readers)
  const rows: string[][] = []
  for (let round = 0; round < rounds; round++) {
    const sentNs: bigint[] = []
    const before = await server.readUsage()
    for (let change = 0; change < changes; change++) {
      sentNs.push(process.hrtime.bigint())
      const url = path(routes.node, { id: 1 + change })
      await ask(url, {
        method: 'PATCH',
        token: operator,
        body: { description: `change ${change}` },
      })
      await delay(changeEveryMs)
    }
    await delay(1_000)
    const after = await server.readUsage()
    const told = await reading.tell()
    const tookMs = told
      .map(([change, atNs]) => Number(atNs - (sentNs[change] ?? atNs)) / 1e6)
      .sort((one, other) => one - other)
    const p99 = tookMs[Math.floor(tookMs.length * 0.99)] ?? Number.NaN
    rows.push([
      `${tookMs.length} of ${readers * changes}`,
      `${median(tookMs).toFixed(1)} ms`,
      `${p99.toFixed(1)} ms`,
      `${(((after.serverCpuS - before.serverCpuS) * 1000) / changes).toFixed(1)} ms`,
      p99 <= goals.eventMs ? 'met' : 'missed',
    ])
  }
  printTable(
    [
      `events at ${readers} readers`,
      'median',
      `p99 (${goals.eventMs} ms)`,
      'server, of a change',
      'goal',
    ],
    rows,
  )
}
