import process from 'node:process'
import { connect } from '@community-lab/kernel'
import { describe, expect, it } from 'vitest'
import { leftovers, noteTraces } from '../support/traces.ts'
import { startTestbed, testbedKinds } from '../support/testbed.ts'

describe.each(testbedKinds)('the testbed of %s', (as) => {
  it('leaves no process, namespace, mount, loop device, cgroup or socket when it is stopped', async () => {
    await using testbed = await startTestbed({ nodes: 3, as })
    await fill(testbed.credentials)
    const traces = await noteTraces(testbed)
    expect(traces.processes.length).toBeGreaterThan(20)
    if (as === 'root') expect(traces.disks).toHaveLength(3)
    await testbed.stop()
    expect(await leftovers(traces)).toEqual([])
  })

  it('leaves none of them either when its launcher is killed', async () => {
    await using testbed = await startTestbed({ nodes: 3, as })
    await fill(testbed.credentials)
    const traces = await noteTraces(testbed)
    process.kill(testbed.launcherPid, 'SIGKILL')
    await testbed.stop()
    expect(await leftovers(traces)).toEqual([])
  })
})

/** A sliver on every node. */
async function fill(credentials: Parameters<typeof connect>[0]): Promise<void> {
  await using lab = connect(credentials)
  const nodes = await lab.nodes.find({ state: 'production' })
  const slice = await lab.slices.ensure('full', { template: 'tiny', nodes })
  await slice.started()
}
