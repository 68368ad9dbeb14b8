import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '@community-lab/kernel'
import { startTestbed } from '../support/testbed.ts'
import { readCpu, type CpuByPart } from './processes.ts'
import { formatRounds, printTable } from './table.ts'

const nodeCount = 3
/** So that what the start has left to do is done. */
const settleMs = 45_000
const measuredMs = 300_000

/** The processor time of a testbed on which nobody does anything for five minutes, with a sliver on each node. A round takes six minutes. */
export async function measureIdle(rounds: number): Promise<void> {
  await using testbed = await startTestbed({ nodes: nodeCount })
  const lab = connect(testbed.credentials)
  const nodes = await lab.nodes.find({ state: 'production' })
  await (await lab.slices.ensure('idle', { template: 'tiny', nodes })).started()
  await lab.close()
  const spent: CpuByPart[] = []
  for (let round = 0; round < rounds; round++) {
    await delay(settleMs)
    const before = await readCpu(testbed.launcherPid)
    await delay(measuredMs)
    const after = await readCpu(testbed.launcherPid)
    spent.push(new Map([...after].map(([part, s]) => [part, s - (before.get(part) ?? 0)])))
  }
  const parts = [...new Set(spent.flatMap((one) => [...one.keys()]))]
  printTable(
    [`part, idle for 300 s, ${nodeCount} nodes`, 'CPU'],
    parts.map((part) => [part, formatRounds(spent.map((one) => one.get(part) ?? 0))]),
  )
}
