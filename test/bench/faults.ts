import { connect } from '@community-lab/kernel'
import { giveSmallDisk, storm, type Weathered } from '../support/faults/storm.ts'
import { startTestbed } from '../support/testbed.ts'
import { printTable } from './table.ts'

const nodes = 10
/** Of each round, whose number is its seed. */
const faults = { seconds: 180, perSecond: 1_000, cutS: 120, kills: 20 } as const

/**
 * Ten slivers that write 1,000 lines a second each, while the management network is cut for two minutes, a node's disk is filled and freed, and agents, catchers and server are
 * killed at random: what became of each line, and how long writers had to wait. `npm test` has a short form of it. Needs root.
 */
export async function measureFaults(rounds: number): Promise<void> {
  await using testbed = await startTestbed({ nodes })
  const lab = connect(testbed.credentials)
  const names = Array.from({ length: nodes }, (_, index) => `n${index + 1}`)
  const filled = `n${nodes}`
  const slice = await lab.slices.ensure('storm', { template: 'tiny', nodes: names })
  await slice.started()
  await testbed.control.node(filled, 'stop')
  await testbed.nodeIs(filled, 'offline')
  await giveSmallDisk(testbed.podPid, filled)
  await testbed.control.node(filled, 'start')
  await testbed.settled()
  await slice.started()
  for (let seed = 1; seed <= rounds; seed++) {
    const began = performance.now()
    const found = await storm({
      ...{ testbed, slice, name: `storm-${seed}`, ...faults, filled, seed },
    })
    console.log(`seed ${seed}, ${Math.round((performance.now() - began) / 1000)} s`)
    printTable(
      [
        'node',
        'written',
        'in the store',
        'twice',
        'told as lost',
        'missing',
        'write() p99',
        'longest',
      ],
      found.map(rowOf),
    )
  }
  await lab.close()
}

function rowOf({ node, written, rows, distinct, told, p99Ms, longestMs }: Weathered): string[] {
  const counts = [written, rows, rows - distinct, told, written - distinct - told]
  return [node, ...counts.map(String), `${p99Ms} ms`, `${longestMs} ms`]
}
