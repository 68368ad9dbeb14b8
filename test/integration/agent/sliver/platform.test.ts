import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'

describe.runIf(process.getuid?.() === 0)('what slivers can be made with', () => {
  let machine: Machine

  beforeEach(async () => {
    machine = await powerOn(ownPlace(), true)
  })
  afterEach(() => machine[Symbol.asyncDispose]())

  it('is nothing while it cannot be found out whether disks are limited, rather than disks without a limit', async () => {
    const data = join(machine.dir, 'data')
    await machine.sh(`mkdir ${data} && mount -t tmpfs -o size=4m,mode=711 full ${data}`)
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(agent.capabilities.runtime).toBe('none')
    expect(agent.capabilities.lacks.join()).toContain('whether disks can be limited')
    await agent.call('check')
    expect(await agent.found('less than 128 MiB left')).toContain(data)
  })

  it('is nothing while no loop device is free, rather than disks without a limit', async () => {
    await machine.sh('for one in /dev/loop*; do mount --bind /dev/null $one; done')
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(agent.capabilities.runtime).toBe('none')
    expect(agent.capabilities.lacks.join()).toContain('whether disks can be limited')
  })

  it('is nothing where the packet filter cannot be set', async () => {
    await machine.sh('mount --bind /bin/false /usr/sbin/nft')
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(agent.capabilities.runtime).toBe('none')
    expect(agent.capabilities.lacks.join()).toContain('packet filter')
  })
})
