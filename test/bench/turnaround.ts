import { setTimeout as delay } from 'node:timers/promises'
import { connect, type Lab } from '@community-lab/kernel'
import { startTestbed } from '../support/testbed.ts'
import { formatRatio, formatRounds, printTable } from './table.ts'

const nodeCount = 10
const sizes = [1, 10, 50]
/** So that no round pays for the end of the one before. */
const restMs = 3_000

/**
 * From the request for slivers to every one of them answering a command over SSH: agents that are hinted (as always) beside the same agents
 * left to their 60-second poll, in alternating rounds on two testbeds of ten nodes. 50 slivers are five slices on all ten nodes.
 * All nodes have the template then: that it crosses the shaped links, once, is a row of its own.
 */
export async function measureTurnaround(rounds: number): Promise<void> {
  await using hinted = await startTestbed({ nodes: nodeCount })
  await using polling = await startTestbed({
    nodes: nodeCount,
    agentEnv: { COMMUNITY_LAB_AGENT_HINTS: 'off' },
  })
  const labs = { hinted: connect(hinted.credentials), polling: connect(polling.credentials) }
  const first = {
    hinted: await timeSlivers(labs.hinted, nodeCount, 'first'),
    polling: await timeSlivers(labs.polling, nodeCount, 'first'),
  }
  const rows: string[][] = [
    [
      `${nodeCount}, the first on their nodes`,
      formatRounds([first.hinted]),
      formatRounds([first.polling]),
      formatRatio([first.hinted], [first.polling]),
    ],
  ]
  for (const size of sizes) {
    const seconds: { hinted: number[]; polling: number[] } = { hinted: [], polling: [] }
    for (let round = 0; round < rounds; round++) {
      seconds.hinted.push(await timeSlivers(labs.hinted, size, round))
      seconds.polling.push(await timeSlivers(labs.polling, size, round))
    }
    rows.push([
      String(size),
      formatRounds(seconds.hinted),
      formatRounds(seconds.polling),
      formatRatio(seconds.hinted, seconds.polling),
    ])
  }
  printTable(['slivers', 'Community-Lab', '60 s poller', 'ratio'], rows)
  await Promise.all([labs.hinted.close(), labs.polling.close()])
}

async function timeSlivers(lab: Lab, size: number, round: number | 'first'): Promise<number> {
  const nodes = (await lab.nodes.find({ state: 'production' })).slice(0, Math.min(size, nodeCount))
  const names = Array.from(
    { length: Math.ceil(size / nodeCount) },
    (_, n) => `turn-${size}-${round}-${n}`,
  )
  const start = performance.now()
  const slices = await Promise.all(
    names.map(async (name) => {
      const slice = await lab.slices.ensure(name, { template: 'tiny', nodes })
      await slice.started({ timeoutMs: 180_000 })
      const results = await slice.sh`true`
      for (const { node, exitCode, stderr, error } of results.failed)
        throw new Error(`slice ${name}: ${node} ${exitCode ?? ''} ${stderr}`, { cause: error })
      return slice
    }),
  )
  const seconds = (performance.now() - start) / 1000
  await Promise.all(slices.map((slice) => slice.release()))
  await delay(restMs)
  return seconds
}
