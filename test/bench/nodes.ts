import { setTimeout as delay } from 'node:timers/promises'
import { startFleet } from './nodes/fleet.ts'
import { startServer } from '../support/server-process.ts'
import { printTable } from './table.ts'

/** How many nodes; BENCH_NODES asks for others, such as 100. */
const sizes = (process.env['BENCH_NODES'] ?? '1000,10000').split(',').map(Number)
/** How long the nodes run before anything is measured, in milliseconds: each has sent its health, polled and reported then. */
const settlingMs = 70_000
/** How long the steady state is measured, in milliseconds: each node has polled then. */
const windowMs = 60_000
const hints = 200

/** What was measured of a server with so many nodes. */
interface Figures {
  /** Of one core, 0 to 1. */
  readonly serverShare: number
  readonly postgresShare: number
  readonly residentMiB: number
  /** CPU time of the server for a node's connection, in milliseconds. */
  readonly connectMs: number
  readonly hintMs: readonly number[]
  readonly samplesPerS: number
  readonly troubles: number
}

/**
 * A real server with 1,000 and 10,000 simulated nodes, each with TLS connections of its own, that run what an agent has to do with its server: health every
 * 10 s, polls every 60 s, pings. Printed: what share of a core and how much memory it takes, and how long after a change the node has its hint. The nodes
 * live in other processes; shares are of CPU seconds, so that a machine with few cores tells the same.
 */
export async function measureNodes(rounds: number): Promise<void> {
  const rows: string[][] = []
  for (const size of sizes)
    for (let round = 0; round < rounds; round++) {
      const figures = await measure(size)
      const sorted = [...figures.hintMs].sort((one, other) => one - other)
      rows.push([
        String(size),
        `${(figures.serverShare * 100).toFixed(1)} %`,
        `${(figures.postgresShare * 100).toFixed(1)} %`,
        `${figures.residentMiB.toFixed(0)} MiB`,
        `${(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN).toFixed(0)} ms`,
        `${figures.samplesPerS.toFixed(0)}/s`,
        String(figures.troubles),
        `${figures.connectMs.toFixed(1)} ms`,
      ])
    }
  printTable(
    [
      'nodes',
      'server, of a core',
      'PostgreSQL',
      'server, resident',
      'p99 of a hint',
      'samples',
      'failures',
      'CPU of a connection',
    ],
    rows,
  )
}

async function measure(size: number): Promise<Figures> {
  await using server = await startServer(size)
  const { url, certificateSha256 } = server
  const started = await server.readUsage()
  await using fleet = await startFleet({ url, certificateSha256, size })
  const connected = await server.readUsage()
  fleet.begin()
  await delay(settlingMs)
  const before = await server.readUsage()
  const countBefore = await fleet.count()
  const beganMs = performance.now()
  const hintMs: number[] = []
  for (let hint = 0; hint < hints; hint++) {
    const id = 1 + Math.floor((hint * size) / hints)
    const hinted = fleet.hinted(id)
    const askedNs = process.hrtime.bigint()
    await server.patchNode(id, { set_state: 'safe' })
    hintMs.push(Number((await hinted) - askedNs) / 1e6)
    await delay(Math.max(0, beganMs + ((hint + 1) * windowMs) / hints - performance.now()))
  }
  const after = await server.readUsage()
  const count = await fleet.count()
  const seconds = (performance.now() - beganMs) / 1000
  return {
    serverShare: (after.serverCpuS - before.serverCpuS) / seconds,
    postgresShare: (after.postgresCpuS - before.postgresCpuS) / seconds,
    residentMiB: after.residentMiB,
    connectMs: ((connected.serverCpuS - started.serverCpuS) * 1000) / size,
    hintMs,
    samplesPerS: (count.acknowledged - countBefore.acknowledged) / seconds,
    troubles: count.troubles - countBefore.troubles,
  }
}
