import process from 'node:process'
import { lendsAll } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SliverStatus } from '../../../../agent/src/plan/observed.ts'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { buildTemplate, wanted } from './world/template.ts'

/** The CPU time that is measured of two slivers together, in seconds. */
const measuredS = 2

describe.runIf(process.getuid?.() === 0)('a node that several slivers share', () => {
  let machine: Machine
  let agent: TestAgent
  let one: SliverStatus
  let other: SliverStatus
  const place = ownPlace()

  beforeAll(async () => {
    machine = await powerOn(place, true)
    agent = await startAgent(machine, place, { runtime: 'crun' })
    const template = await buildTemplate(machine.dir)
    one = await agent.run(wanted(1, template))
    other = await agent.run(wanted(2, template))
  })
  afterAll(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  /** The folder of a sliver's cgroup for a controller. */
  const folder = ({ cgroups }: SliverStatus, controller: string): string =>
    cgroups['unified'] ?? cgroups[controller] ?? ''
  /** The CPU time that a sliver has used, in seconds. */
  async function cpuS(sliver: SliverStatus): Promise<number> {
    const isUnified = 'unified' in sliver.cgroups
    const file = isUnified ? 'cpu.stat' : 'cpuacct.usage'
    const text = await machine.sh(`cat ${folder(sliver, 'cpuacct')}/${file}`)
    return Number(/\d+/u.exec(text)?.[0]) / (isUnified ? 1e6 : 1e9)
  }
  /** Begin to use all CPU time that a sliver gets on the first core, in so many processes. */
  async function keepBusy(sliver: SliverStatus, processes: number): Promise<void> {
    const loop = `taskset -c 0 sh -c 'while :; do :; done' > /dev/null 2>&1 &`
    const enter = `echo $$ > ${folder(sliver, 'cpu')}/cgroup.procs; echo $$ > ${folder(sliver, 'cpuacct')}/cgroup.procs`
    await machine.sh(`sh -c "${enter.replaceAll('$', '\\$')}; ${loop.repeat(processes)}"`)
  }

  test('two busy slivers have equal parts of a core, however many programs each runs', async () => {
    await keepBusy(one, 6)
    await keepBusy(other, 1)
    const used = async () => [await cpuS(one), await cpuS(other)] as const
    await expect.poll(async () => Math.min(...(await used()))).toBeGreaterThan(0.1)
    const before = await used()
    const since = async () => {
      const [a, b] = await used()
      return [a - before[0], b - before[1]] as const
    }
    await expect
      .poll(async () => (await since()).reduce((sum, each) => sum + each))
      .toBeGreaterThan(measuredS)
    const [a, b] = await since()
    expect(Math.min(a, b) / Math.max(a, b)).toBeGreaterThan(0.9)
    // What runs in them ends.
    for (const { id } of [one, other]) await agent.call('stop', id)
    await agent.call('start', wanted(1, await buildTemplate(machine.dir)))
  })

  test('slivers together never have more than the owner lends, from the moment it is said, and nobody is told of a change that was asked for', async () => {
    const read = async (): Promise<Record<string, string>> => {
      const files: Readonly<Record<string, string>> = {
        'memory.max': 'memory.limit_in_bytes',
        'pids.max': 'pids.max',
        'cpu.max': 'cpu.cfs_quota_us',
      }
      const of = async (at: string, name: string): Promise<string> => {
        const controller = name.split('.')[0] ?? ''
        const file = 'unified' in one.cgroups ? name : files[name]
        return (
          (await machine.sh(`cat ${folder(one, controller)}/${at}${file}`)).split(' ')[0]?.trim() ??
          ''
        )
      }
      return {
        memory: await of('../', 'memory.max'),
        processes: await of('../', 'pids.max'),
        cpu: await of('../', 'cpu.max'),
        'cpu of one': await of('', 'cpu.max'),
      }
    }
    await agent.call('check')
    const all = { memory: String(1500 * 2 ** 20), processes: '3000', cpu: '200000' }
    expect(await read()).toEqual({ ...all, 'cpu of one': '100000' })
    await agent.call('lend', {
      ...lendsAll,
      memory_mib: 400,
      processes: 500,
      cpu_pct: 50,
      rate_mbps: 10,
    })
    const less = { memory: String(400 * 2 ** 20), processes: '500', cpu: '50000' }
    expect(await read()).toEqual({ ...less, 'cpu of one': '50000' })
    expect(await machine.sh('tc qdisc show | grep slv-01-')).not.toMatch(/noqueue|rate (?!10Mbit)/u)
    // A sliver that starts now is held to it as well.
    await agent.call('stop', one.id)
    await agent.call('start', wanted(1, await buildTemplate(machine.dir)))
    expect(await read()).toEqual({ ...less, 'cpu of one': '50000' })
    await agent.call('lend', lendsAll)
    expect(await read()).toEqual({ ...all, 'cpu of one': '100000' })
    expect(await machine.sh('tc qdisc show | grep slv-01- || true')).not.toContain('tbf')
    expect(agent.findings).toEqual([])
    expect(
      await agent.failure('allocate', {
        ...wanted(3, await buildTemplate(machine.dir)),
        resources: [{ name: 'memory', req: 2000 }],
      }),
    ).toMatchObject({ code: 'LAB_SLIVER_NO_ROOM' })
  })
})
