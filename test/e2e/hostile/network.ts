import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Node, routes } from '@community-lab/contract'
import type { Sliver } from '@community-lab/kernel'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { expect, it } from 'vitest'
import {
  attackBeside,
  hostileSliver,
  nothingNoticed,
  startAnother,
  type HostileWorld,
} from './world.ts'
import { eventually } from '../../support/eventually.ts'

const run = promisify(execFile)
const packets = join(import.meta.dirname, '../../support/packets.pl')

/** Attacks with packets that are not the sliver's own, with more of them than there is room for, and without a filter. */
export function attackWithPackets(world: () => HostileWorld): void {
  it('reaches nobody with the addresses of others, and everybody with its own', async () => {
    const [beside, far] = world().neighbour.slivers
    if (beside === undefined || far === undefined) throw new Error('the neighbour lacks a sliver')
    const own = hostileSliver(world())
    const send = await sendFrom(own)
    const before = await strayDatagrams(far)
    const seen = await attackBeside(world(), async () => {
      const claimed = '02:00:00:00:00:99'
      await send('ipv6', [claimed, own.address, far.address, '50'])
      await send('ipv6', [await macOf(own), beside.address, far.address, '50'])
      await send('ipv6', [await macOf(beside), beside.address, far.address, '50'])
      await send('ipv4', [await macOf(own), '192.0.2.1', '192.0.2.2', '50'])
      await send('arp', [await macOf(own), '192.0.2.1', '192.0.2.1', '50'])
      for (const claim of ['fe80::1', beside.address, far.address])
        await send('neighbour-advertisement', [claim])
      const pings = await beside.sh`ping -q -c 20 -i 0.1 -W 2 ${far.address}`
      expect(pings.stdout).toContain('20 packets received')
    })
    expect(seen).toEqual(nothingNoticed(seen))
    expect(await strayDatagrams(far)).toBe(before)
    await send('ipv6', [await macOf(own), own.address, far.address, '50'])
    await expect.poll(() => strayDatagrams(far)).toBe(before + 50)
  })

  it('stays behind its node’s filter when something on the node flushes it', async () => {
    const far = world().neighbour.slivers.at(1)
    if (far === undefined) throw new Error('the neighbour lacks a sliver')
    const own = hostileSliver(world())
    const send = await sendFrom(own)
    const before = await strayDatagrams(far)
    const seen = await attackBeside(world(), async () => {
      await onNode(world(), 'n1', 'nft', 'flush', 'ruleset')
      await expect
        .poll(() => errorsOf(world(), 'n1'))
        .toContain('the packet filter of its slivers was gone')
      await send('ipv6', ['02:00:00:00:00:99', own.address, far.address, '50'])
      await startAnother(world())
    })
    expect(seen).toEqual(nothingNoticed(seen))
    expect(await strayDatagrams(far)).toBe(before)
  })

  it('leaves the management network to others when it sends as much as it can', async () => {
    const [from, to] = world().hostile.slivers
    const beside = world().neighbour.slivers.at(0)
    if (from === undefined || to === undefined || beside === undefined)
      throw new Error('a sliver is missing')
    await to.exec('iperf3 -s -D')
    let answered = 0
    const seen = await attackBeside(world(), async () => {
      const flood = from.exec(`iperf3 -6 -u -b 0 -P 16 -t 10 -c ${to.address} > /dev/null 2>&1`)
      for (let nr = 0; nr < 20; nr++) if ((await beside.sh`true`).exitCode === 0) answered += 1
      await flood
    })
    expect(answered).toBe(20)
    expect(seen).toEqual(nothingNoticed(seen))
    await to.exec('killall iperf3')
  })
}

/** Datagrams that came to a sliver where nobody listens. */
async function strayDatagrams(sliver: Sliver): Promise<number> {
  const { stdout } = await sliver.exec('cat /proc/net/snmp6')
  return Number(/^Udp6NoPorts\s+(\d+)/mu.exec(stdout)?.[1])
}

async function macOf(sliver: Sliver): Promise<string> {
  return (await sliver.exec('cat /sys/class/net/pub1/address')).stdout.trim()
}

/** Send packets from the network namespace of a sliver, as a program in it could: it has raw sockets. Returns the sender. */
async function sendFrom(
  sliver: Sliver,
): Promise<(what: string, rest: readonly string[]) => Promise<void>> {
  const mark = `sleep 600.${Math.floor(Math.random() * 1e9)}`
  await sliver.exec(`${mark} > /dev/null 2>&1 < /dev/null &`)
  // The shell may have answered before its child has become this program.
  const pid = await eventually(async () => {
    const found = await findProcess(mark)
    if (found === null) throw new Error(`there is no process ${mark}`)
    return found
  })
  return async (what, rest) => {
    const enter = [`--net=/proc/${pid}/ns/net`, '--']
    await run('nsenter', [...enter, 'perl', packets, what, 'pub1', ...rest])
  }
}

/** The process with this command line, whatever namespace it is in; null: there is none. */
async function findProcess(commandLine: string): Promise<number | null> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/u.test(name)) continue
    const found = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => {
      // It has ended meanwhile.
      return ''
    })
    if (found.split('\0').join(' ').trim() === commandLine) return Number(name)
  }
  return null
}

/** Run a command in the network namespace of a node. */
async function onNode(
  { testbed }: HostileWorld,
  name: string,
  ...argv: readonly string[]
): Promise<void> {
  const { nodes } = await testbed.control.status()
  const agentPid = nodes.find((node) => node.name === name)?.agent_pid ?? 0
  const enterPod = ['--target', `${testbed.podPid}`, '--pid', '--mount', '--']
  await run('nsenter', [...enterPod, 'nsenter', `--net=/proc/${agentPid}/ns/net`, '--', ...argv])
}

/** What a node reports as wrong, in one text. */
async function errorsOf({ testbed }: HostileWorld, name: string): Promise<string> {
  const { url, token } = testbed.credentials
  const answer = await fetch(url + routes.nodes, { headers: { authorization: `Bearer ${token}` } })
  const nodes: unknown = await answer.json()
  if (!Value.Check(Type.Array(Node), nodes)) throw new Error('the nodes cannot be read')
  return (nodes.find((node) => node.name === name)?.errors ?? [])
    .map(({ message }) => message)
    .join('\n')
}
