import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { hostAddress, powerOn, type Machine } from './world/machine.ts'
import { publicAddress } from './world/ssh.ts'
import { buildTemplate, wanted } from './world/template.ts'

/** What enters the network namespace of a process. */
const inside = (pid: number | null): string => `nsenter --net=/proc/${pid ?? 0}/ns/net --`

describe.runIf(process.getuid?.() === 0)('the network that an owner lends', () => {
  let machine: Machine
  let agent: TestAgent

  const place = ownPlace()

  beforeAll(async () => {
    machine = await powerOn(place, true)
    // The way out is narrow, and everything waits in one queue.
    await machine.sh('tc qdisc add dev cn0 root tbf rate 20mbit burst 16kb latency 50ms')
    agent = await startAgent(machine, place, { runtime: 'crun', lendsMbps: 10 })
  })
  afterAll(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  test('a sliver that floods takes its share, and nobody else loses a packet', async () => {
    const template = await buildTemplate(machine.dir)
    const flooding = await agent.run(wanted(1, template))
    const beside = await agent.run(wanted(2, template))
    await machine.shOn('host', 'iperf3 -s -D --logfile /dev/null')
    await machine.shOn(
      'host',
      `nft 'table netdev count { chain in { type filter hook ingress device "eth0" priority 0; ip6 saddr ${publicAddress(flooding)} meta l4proto udp counter; }; }'`,
    )
    const ping = (enter: string): Promise<string> =>
      machine.sh(`${enter} ping -6 -n -q -s 1300 -c 60 -i 0.05 -W 5 ${hostAddress} || true`)
    const flood = machine.sh(
      `${inside(flooding.pid)} iperf3 -6 -u -b 0 -l 1400 -P 32 -t 6 -c ${hostAddress} > /dev/null`,
    )
    const [own, neighbours] = await Promise.all([ping(''), ping(inside(beside.pid))])
    await flood
    // Nothing was lost where all have one queue, so nobody's packets were.
    expect(await machine.sh('tc -s qdisc show dev cn0')).toContain('dropped 0,')
    expect(own).toContain('60 received')
    expect(neighbours).toContain('60 received')
    const counted = await machine.shOn('host', 'nft list chain netdev count in')
    const arrived = Number(/packets (\d+)/u.exec(counted)?.[1])
    expect(arrived).toBeGreaterThan(0)
    // It floods for 6 s; the filter lets what is lent in a second pass at once. A packet has 1400 bytes and its headers, 48 bytes.
    expect(arrived * 1448 * 8).toBeLessThan(10e6 * 7)
  })

  test('a sliver that runs has links of another speed as soon as an agent starts that was told to lend another part', async () => {
    const sliver = (await agent.list()).find(({ pid }) => pid !== null)
    const name = sliver?.interfaces.find(({ type }) => type === 'public6')?.name ?? ''
    const queues = async (): Promise<string> =>
      (await machine.sh('tc qdisc show | grep slv-01- || true')) +
      (await machine.sh(`${inside(sliver?.pid ?? null)} tc qdisc show dev ${name}`))
    expect(await queues()).not.toMatch(/noqueue|rate (?!10Mbit)/u)
    for (const [lendsMbps, otherwise] of [
      [20, /noqueue|rate (?!20Mbit)/u],
      [null, /tbf/u],
      [5, /noqueue|rate (?!5Mbit)/u],
    ] as const) {
      await agent.kill()
      agent = await startAgent(machine, place, { runtime: 'crun', lendsMbps })
      await expect.poll(queues).not.toMatch(otherwise)
    }
  })
})
