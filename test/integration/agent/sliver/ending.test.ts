import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { buildTemplate, wanted, type TestTemplate } from './world/template.ts'

describe.runIf(process.getuid?.() === 0)('a sliver of which something cannot be removed', () => {
  let machine: Machine
  let agent: TestAgent
  let template: TestTemplate
  let problems: string[]

  beforeEach(async () => {
    problems = []
    machine = await powerOn(ownPlace(), true)
    template = await buildTemplate(machine.dir)
    const onProblem = (message: string): void => void problems.push(message)
    agent = await startAgent(machine, ownPlace(), { runtime: 'crun', onProblem })
  })
  afterEach(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  /** Run a sliver whose cgroup cannot be removed: something is mounted in it. Returns the folder of the mount. */
  async function runWithStuckCgroup(): Promise<string> {
    const { cgroups } = await agent.run(wanted(1, template))
    const folder = `${cgroups.unified ?? cgroups.pids ?? ''}/stuck`
    await machine.sh(`mkdir ${folder} && mount -t tmpfs stuck ${folder}`)
    return folder
  }

  it('does not count as started after a stop that failed, is cleaned up later, and starts again', async () => {
    const folder = await runWithStuckCgroup()
    expect(await agent.failure('stop', '1@3')).toMatchObject({
      message: expect.stringContaining('EBUSY') as string,
    })
    expect(await agent.sliver('1@3')).toMatchObject({ stage: 'deployed', pid: null, ended: null })
    await machine.sh(`umount ${folder}`)
    await agent.call('check')
    expect(await machine.sh(`test -e ${folder} || echo gone`)).toBe('gone\n')
    await agent.call('start', wanted(1, template))
    await agent.call('remove', '1@3')
  })

  it('does not count as started after a removal that failed', async () => {
    const folder = await runWithStuckCgroup()
    await agent.failure('remove', '1@3')
    expect(await agent.sliver('1@3')).toMatchObject({ stage: 'deployed', pid: null, ended: null })
    await machine.sh(`umount ${folder}`)
    await agent.call('remove', '1@3')
    expect(await agent.list()).toEqual([])
  })

  it('is told of once, not each time that the agent tries again, and again when it is stuck anew', async () => {
    for (let times = 1; times <= 2; times++) {
      const folder = await runWithStuckCgroup()
      await agent.failure('stop', '1@3')
      for (let attempt = 0; attempt < 3; attempt++) await agent.call('check')
      expect(problems).toEqual(
        new Array(times).fill(expect.stringMatching(/^1@3: .*EBUSY/u) as string),
      )
      await machine.sh(`umount ${folder}`)
      await agent.call('check')
    }
    await agent.call('remove', '1@3')
  })

  it('is told of when it ends by itself, and is cleaned up later', async () => {
    const folder = await runWithStuckCgroup()
    const { pid } = await agent.sliver('1@3')
    await machine.sh(`kill -9 ${pid ?? 0}`)
    await agent.ended('1@3')
    expect(await agent.sliver('1@3')).toMatchObject({ stage: 'deployed', pid: null })
    // The step waits for the clean-up under way, which fails.
    await agent.failure('start', wanted(1, template))
    expect(problems.join()).toContain('EBUSY')
    await machine.sh(`umount ${folder}`)
    await agent.call('start', wanted(1, template))
    await agent.call('remove', '1@3')
  })
})
