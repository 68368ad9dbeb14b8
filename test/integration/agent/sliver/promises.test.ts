import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { samplesDisk } from '../../../../agent/src/measurement/measuring.ts'
import { ownDiskMiB } from '../../../../agent/src/report/resources.ts'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { buildTemplate, wanted, type TestTemplate } from './world/template.ts'

it('the disk that a node keeps for its spool is what its spool may take', () => {
  expect(ownDiskMiB.spool).toBe(samplesDisk.spoolMiB)
})

describe.runIf(process.getuid?.() === 0)('what a node promises to slivers', () => {
  let machine: Machine
  let agent: TestAgent
  let template: TestTemplate
  /** The machine offers 3,000 processes. */
  const many = { resources: [{ name: 'processes' as const, req: 2000 }] }

  beforeAll(async () => {
    machine = await powerOn(ownPlace(), true)
    template = await buildTemplate(machine.dir)
    agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
  })
  afterAll(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  it('is not promised twice when two slivers are allocated at once', async () => {
    const allocated = await Promise.allSettled(
      [1, 2].map((id) => agent.call('allocate', wanted(id, template, many))),
    )
    expect(allocated.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const failure = allocated.find((one) => one.status === 'rejected')
    expect(String(failure?.reason)).toContain('LAB_SLIVER_NO_ROOM')
    for (const id of [1, 2]) await agent.call('remove', `${id}@3`)
  })

  it('has what slivers may use whose records cannot be read', async () => {
    await agent.run(wanted(3, template, many))
    await agent.kill()
    const record = join(agent.settings.dataDir, 'slivers', '3@3', 'sliver.json')
    await machine.sh(`cp ${record} ${machine.dir}/kept; sed -i 's/"stage"/"phase"/' ${record}`)
    agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(await agent.failure('allocate', wanted(4, template, many))).toMatchObject({
      code: 'LAB_SLIVER_NO_ROOM',
      message: expect.stringContaining('1000') as string,
    })
    await agent.call('stop', '3@3')
  })
})
