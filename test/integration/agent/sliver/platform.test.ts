import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { buildTemplate, wanted } from './world/template.ts'

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

  it('is told where the speed of links cannot be bounded to what is lent', async () => {
    const template = await buildTemplate(machine.dir)
    await machine.sh('mount --bind /bin/false /usr/sbin/tc')
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun', lendsMbps: 10 })
    await agent.run(wanted(1, template))
    expect((await agent.problems()).map(({ message }) => message)).toEqual([
      expect.stringContaining("it cannot bound the speed of slivers' links (ended with 1)"),
    ])
    await machine.sh('umount /usr/sbin/tc')
    await agent.call('stop', '1@3')
    await agent.call('start', wanted(1, template))
    expect(await agent.problems()).toEqual([])
    await agent.call('remove', '1@3')
  })

  it('has its seccomp profile compiled once: slivers get the program that the first container had', async () => {
    const template = await buildTemplate(machine.dir)
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    const { pid, nr } = await agent.run(wanted(1, template))
    const folder = `${join(machine.dir, 'data')}/runtime/crun/sliver-${nr}`
    const program = (await machine.sh(`base64 --wrap=0 ${folder}/seccomp.bpf`)).trim()
    expect(program.length).toBeGreaterThan(1_000)
    expect(await machine.sh(`cat ${folder}/config.json`)).toContain(program)
    expect(await machine.sh(`grep ^Seccomp: /proc/${pid ?? 0}/status`)).toBe('Seccomp:\t2\n')
    await agent.call('remove', '1@3')
  })

  it('is nothing where the packet filter cannot be set', async () => {
    await machine.sh('mount --bind /bin/false /usr/sbin/nft')
    await using agent = await startAgent(machine, ownPlace(), { runtime: 'crun' })
    expect(agent.capabilities.runtime).toBe('none')
    expect(agent.capabilities.lacks.join()).toContain('packet filter')
  })
})
