import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { path, routes } from '@community-lab/contract'
import { nodeSecret, type ServerProcess } from '../../support/server-process.ts'
import { median, printTable } from '../table.ts'
import type { Ask } from './ask.ts'
import type { Filled } from './fill.ts'

/** What the process of strangers is asked. */
export interface FloodAsk {
  readonly port: number
}

/** What it tells again and again: the number of answers of each status. */
export type FloodTold = readonly (readonly [number, number])[]

/** The goals, in milliseconds: what a node and a researcher wait for at most, while strangers ask for all that they can. */
const goals = { pollMs: 250, ensureMs: 2_000 } as const
const polls = 200
const ensures = 20

interface Waited {
  readonly pollMs: readonly number[]
  readonly ensureMs: readonly number[]
}

/**
 * Print how long a node's poll and a researcher's slice of ten slivers take, alone and while strangers from 20 addresses ask for the dearest lists as fast as they get
 * answers.
 */
export async function printFlood(
  server: ServerProcess,
  { ask, filled, port }: { readonly ask: Ask; readonly filled: Filled; readonly port: number },
): Promise<void> {
  const alone = await measureWaits(ask, filled)
  await server.forgetPeak()
  const child = fork(join(import.meta.dirname, 'flood-main.ts'))
  let told: FloodTold = []
  child.on('message', (message: FloodTold) => void (told = message))
  child.send({ port } satisfies FloodAsk)
  await once(child, 'message')
  const before = await server.readUsage()
  const beganMs = performance.now()
  const flooded = await measureWaits(ask, filled)
  const tookS = (performance.now() - beganMs) / 1000
  const after = await server.readUsage()
  const ended = once(child, 'exit')
  child.kill()
  await ended
  const row = (name: string, of: (waited: Waited) => readonly number[], goalMs: number) => {
    const [quiet, busy] = [of(alone), of(flooded)]
    const p99Ms = percentile(busy, 0.99)
    const times = [median(quiet), percentile(quiet, 0.99), median(busy), p99Ms]
    return [name, ...times.map((ms) => `${ms.toFixed(1)} ms`), p99Ms <= goalMs ? 'met' : 'missed']
  }
  printTable(
    ['while strangers ask for all', 'alone', 'p99', 'meanwhile', 'p99', 'goal'],
    [
      row(`poll of a node (${goals.pollMs} ms)`, ({ pollMs }) => pollMs, goals.pollMs),
      row(`slice of 10 slivers (${goals.ensureMs} ms)`, ({ ensureMs }) => ensureMs, goals.ensureMs),
    ],
  )
  const answers = told.map(([status, count]) => `${count} of ${status}`).join(', ')
  const cores = (after.serverCpuS - before.serverCpuS) / tookS
  const peakMiB = await server.readPeakMiB()
  console.log(
    `strangers got ${answers}; the server took ${cores.toFixed(2)} cores and ${peakMiB.toFixed(0)} MiB at most`,
  )
}

async function measureWaits(ask: Ask, { researcher }: Filled): Promise<Waited> {
  const pollMs: number[] = []
  const ensureMs: number[] = []
  const nodes = Array.from({ length: 10 }, (_, index) => `n${index + 1}`)
  const time = async (into: number[], work: () => Promise<unknown>): Promise<void> => {
    const beganMs = performance.now()
    await work()
    into.push(performance.now() - beganMs)
  }
  for (let nr = 0; nr < polls; nr++) {
    const id = 100 + nr
    await time(pollMs, () =>
      ask(path(routes.nodeTarget, { id }), { token: nodeSecret(id), headers: {} }),
    )
    if (nr % (polls / ensures) !== 0) continue
    const body = { name: `flood-${nr}`, template: 'tiny', nodes }
    let uri = ''
    await time(ensureMs, async () => {
      const made = await ask(routes.sliceEnsure, { method: 'PUT', token: researcher, body })
      uri = (JSON.parse(made.body.toString()) as { slice: { uri: string } }).slice.uri
    })
    await ask(uri, { method: 'DELETE', token: researcher })
  }
  return { pollMs, ensureMs }
}

function percentile(values: readonly number[], share: number): number {
  const ordered = [...values].sort((one, other) => one - other)
  return ordered[Math.floor(ordered.length * share)] ?? Number.NaN
}
