import { join } from 'node:path'
import process from 'node:process'
import type { SliverTarget } from '@community-lab/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { buildTemplate, wanted, type TestTemplate } from './world/template.ts'

describe.runIf(process.getuid?.() === 0)('on a disk that is full', () => {
  let machine: Machine
  let agent: TestAgent
  let template: TestTemplate
  let data: string
  let problems: string[]

  beforeEach(async () => {
    problems = []
    machine = await powerOn(ownPlace(), true)
    template = await buildTemplate(machine.dir)
    data = join(machine.dir, 'data')
    const image = join(machine.dir, 'data.img')
    await machine.sh(
      `truncate --size=3G ${image} && mkfs.ext4 -q -m 0 ${image} &&
       mkdir -m 711 ${data} && mount -o loop ${image} ${data} && chmod 711 ${data}`,
    )
    agent = await start()
  })
  afterEach(async () => {
    await agent[Symbol.asyncDispose]()
    await machine.sh(`umount --lazy ${data}`)
    await machine[Symbol.asyncDispose]()
  })

  function start(): Promise<TestAgent> {
    const onProblem = (message: string): void => void problems.push(message)
    return startAgent(machine, ownPlace(), { runtime: 'crun', onProblem })
  }

  /** Take all that is left of the disk. */
  async function fill(): Promise<void> {
    await machine.sh(
      `for size in 1G 100M 10M 1M 100K; do n=0; while fallocate -l $size ${data}/filler.$size.$n 2>/dev/null; do n=$((n + 1)); done; done
       cat /dev/zero > ${data}/filler.rest 2>/dev/null || true; sync ${data}; cat /dev/zero >> ${data}/filler.rest 2>/dev/null || true`,
    )
  }

  async function free(): Promise<void> {
    await machine.sh(`rm -f ${data}/filler.* && sync ${data}`)
  }

  async function restart(): Promise<void> {
    await agent.kill()
    agent = await start()
  }

  async function stages(): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries((await agent.list()).map(({ id, stage }) => [id, stage]))
  }

  /** Ask for a step while the disk is full. It may fail, but no more than that. */
  async function tryWhileFull(step: 'allocate' | 'deploy' | 'start', of: SliverTarget) {
    await fill()
    const before = await stages()
    const { message } = await agent.failure(step, of)
    expect(message).toMatch(/ENOSPC|No space left/u)
    expect(await stages()).toEqual({ [of.id]: 'allocated', ...before })
    await free()
  }

  it('no step loses a sliver or ends another one, and each works when there is room again', async () => {
    const other = wanted(1, template)
    const target = wanted(2, template)
    const { id } = target
    const { pid } = await agent.run(other)

    await tryWhileFull('allocate', target)
    await agent.call('allocate', target)
    await restart()
    expect(await stages()).toEqual({ '1@3': 'started', '2@3': 'allocated' })
    await tryWhileFull('deploy', target)
    await agent.call('deploy', target)
    await tryWhileFull('start', target)
    await agent.call('start', target)

    await fill()
    await agent.call('stop', id)
    expect(await agent.sliver(id)).toMatchObject({ stage: 'deployed', ended: null })
    await free()
    await agent.call('start', target)
    await fill()
    expect((await agent.failure('authorize', id, ['ssh-ed25519 AAAA one'])).message).toMatch(
      'ENOSPC',
    )
    await free()
    await agent.call('authorize', id, ['ssh-ed25519 AAAA one'])
    await restart()
    expect((await agent.sliver(id)).sshAuthorizedKeys).toEqual(['ssh-ed25519 AAAA one'])

    await fill()
    await machine.sh(`kill -9 ${(await agent.sliver(id)).pid ?? 0}`)
    await agent.ended(id)
    await free()
    // What could not be noted on the disk is noted by the next look at the host.
    await agent.call('check')
    expect(await machine.sh(`cat ${data}/slivers/${id}/sliver.json`)).toContain('"ended":{')
    await fill()
    await restart()
    expect(await stages()).toEqual({ '1@3': 'started', '2@3': 'deployed' })
    await agent.call('remove', id)
    expect(await stages()).toEqual({ '1@3': 'started' })
    expect((await agent.sliver(other.id)).pid).toBe(pid)
  })
})
