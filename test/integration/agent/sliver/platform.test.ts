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

  it('is told with the interfaces on which slivers’ packets do not wait behind all others, unless their part of the network is bounded', async () => {
    await machine.sh('tc qdisc add dev cn0 root tbf rate 20mbit burst 16kb latency 50ms')
    const lacksOf = async (lendsMbps: number | null): Promise<readonly string[]> => {
      await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun', lendsMbps })
      return agent.capabilities.lacks
    }
    expect(await lacksOf(10)).toEqual([])
    expect(await lacksOf(null)).toEqual([
      "it does not send slivers' packets behind all others on cn0 (tbf): set COMMUNITY_LAB_AGENT_LENDS_MBPS to a part of what its line carries",
    ])
    await machine.sh('tc qdisc replace dev cn0 root pfifo_fast')
    expect(await lacksOf(null)).toEqual([])
  })

  it('is nothing where the packet filter cannot be set', async () => {
    await machine.sh('mount --bind /bin/false /usr/sbin/nft')
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(agent.capabilities.runtime).toBe('none')
    expect(agent.capabilities.lacks.join()).toContain('packet filter')
  })
})
