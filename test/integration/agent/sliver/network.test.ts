import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { planForwarding } from '../../../../agent/src/sliver/domain/forwarding.ts'
import { hostInterface } from '../../../../agent/src/sliver/domain/interfaces.ts'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { hostAddress, powerOn, serverAddress, type Machine } from './world/machine.ts'
import { publicAddress, managementAddress } from './world/ssh.ts'
import { buildTemplate, wanted, type TestTemplate } from './world/template.ts'

const packets = `perl ${join(import.meta.dirname, '../../../support/packets.pl')}`
/** What enters the network namespace of a process. */
const inside = (pid: number | null): string => `nsenter --net=/proc/${pid ?? 0}/ns/net --`
/** An IPv4 address of the node's owner. */
const ownerAddress = '192.0.2.1'

describe.runIf(process.getuid?.() === 0)('the network of a node', () => {
  let machine: Machine
  let agent: TestAgent
  let template: TestTemplate

  beforeAll(async () => {
    const place = ownPlace()
    machine = await powerOn(place, true)
    await machine.sh(`ip addr add ${ownerAddress}/32 dev cn0`)
    template = await buildTemplate(machine.dir)
    agent = await startAgent(machine, place, { runtime: 'crun' })
  })
  afterAll(async () => {
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  const ping = (address: string): string => `ping -6 -n -q -c 3 -i 0.1 -W 1 ${address} || true`

  test('an owner’s device stays a host: router advertisements, routes and other traffic are as they were', async () => {
    const sliver = await agent.run(wanted(1, template))
    const settings = await machine.sh(
      'cd /proc/sys/net/ipv6/conf && cat all/forwarding default/forwarding cn0/forwarding cn0/accept_ra',
    )
    expect(settings.split('\n').slice(0, 4)).toEqual(['0', '0', '0', '1'])
    await machine.shOn('host', `${packets} router-advertisement eth0`)
    await waitFor(() => machine.sh('ip -6 route show default'), 'proto ra')
    expect(await machine.shOn('host', ping(publicAddress(sliver)))).toContain('3 received')
    // The host sends packets for the server to the node, which must not forward them.
    expect(await machine.shOn('host', ping(serverAddress))).toContain(' 0 received')
    await agent.call('remove', '1@3')
  })

  test('a sliver gets no answer by ARP, and fills no table of neighbours', async () => {
    const sliver = await agent.run(wanted(2, template))
    const link = hostInterface(sliver.nr, 3)
    const neighbours = () => machine.sh(`ip neigh show dev ${link}`)
    const before = await neighbours()
    const arping = `busybox arping -q -c 3 -w 2 -I pub1 -s 192.0.2.99 ${ownerAddress}; echo status $?`
    await machine.sh(`${inside(sliver.pid)} ip addr add 192.0.2.99/24 dev pub1`)
    expect(await machine.sh(`${inside(sliver.pid)} ${arping}`)).toContain('status 1')
    for (const claim of ['fe80::1', publicAddress(sliver), 'fd77:0:0:3:1003::bad'])
      await machine.sh(`${inside(sliver.pid)} ${packets} neighbour-advertisement pub1 ${claim}`)
    expect(await neighbours()).toBe(before)
    expect(await machine.shOn('host', ping(publicAddress(sliver)))).toContain('3 received')
    await agent.call('remove', '2@3')
  })

  test('a sliver that sends to thousands of addresses takes few places in the node’s neighbour table, and others still find new neighbours', async () => {
    const sending = await agent.run(wanted(10, template))
    const beside = await agent.run(wanted(11, template))
    await machine.sh('ip -6 route add fd77:0:1::/64 dev cn0')
    const found = Array.from({ length: 20 }, (_, nr) => `fd77:0:1::${nr + 1}`)
    await machine.shOn(
      'host',
      found.map((address) => `ip addr add ${address}/128 dev eth0 nodad`).join(' && '),
    )
    const places = async (): Promise<number> =>
      Number(await machine.sh('ip -6 neigh show nud all | grep -vc PERMANENT || true'))
    const before = await places()
    const link = hostInterface(sending.nr, 3)
    const mac = sending.interfaces.find(({ name }) => name === 'pub1')?.mac_addr ?? ''
    const source = `pub1 ${mac} ${publicAddress(sending)}`
    const told = agent.findings.length
    for (const prefix of ['fd77:0:1::', 'fe80::'])
      await machine.sh(`${inside(sending.pid)} ${packets} destinations ${source} ${prefix} 5000`)
    // One for each next hop, and one for the multicast group in which it is asked for.
    expect((await places()) - before).toBeLessThanOrEqual(2 * 64)
    expect(await machine.sh(`ip -6 neigh show dev ${link} nud all`)).not.toContain('fe80::1000')
    for (const address of found)
      expect(
        await machine.sh(`${inside(beside.pid)} ping -6 -n -q -c 1 -W 2 ${address}`),
      ).toContain('1 received')
    // What packets have put into the filter is no change of it.
    await agent.call('check')
    expect(agent.findings.slice(told)).toEqual([])
    await machine.sh('ip -6 route del fd77:0:1::/64 dev cn0')
    await agent.call('remove', '11@3')
    await agent.call('remove', '10@3')
  })

  test('a sliver reaches no port of its node, nor of the server by the management network, that of tincd among them', async () => {
    const sliver = await agent.run(wanted(14, template))
    const own = 'fd77::3'
    await machine.sh(`ip addr add ${own}/128 dev cn0 nodad`)
    const ports = '655 443'
    const knock = (address: string, withinS: number): string =>
      `bash -c 'for port in ${ports}; do echo > /dev/udp/${address}/$port; timeout ${withinS} bash -c ": > /dev/tcp/${address}/$port"; done' 2> /dev/null || true`
    // Nobody listens: each datagram that arrives is counted, and each connection that is asked for is refused.
    const counters =
      'grep Udp6NoPorts /proc/net/snmp6; grep "^Tcp: [0-9]" /proc/net/snmp | cut -d " " -f 1,15'
    const arrived = async (): Promise<readonly number[]> => {
      const texts = await Promise.all([machine.sh(counters), machine.shOn('server', counters)])
      return texts.flatMap((text) => [...text.matchAll(/ +(\d+)$/gmu)].map(([, nr]) => Number(nr)))
    }
    const before = await arrived()
    for (const address of [own, 'fe80::1%pub1', 'fe80::1%mgmt0', serverAddress])
      await machine.sh(`${inside(sliver.pid)} ${knock(address, 0.2)}`)
    expect(await arrived()).toEqual(before)
    await machine.shOn('host', knock(own, 10))
    await machine.sh(knock(serverAddress, 10))
    expect(await arrived()).toEqual(before.map((count) => count + 2))
    await agent.call('remove', '14@3')
  })

  test('a sliver’s frames with another’s MAC, IPv4 or IPv6 address reach nobody; its own do', async () => {
    const sliver = await agent.run(wanted(7, template))
    const own = sliver.interfaces.find(({ name }) => name === 'pub1')?.mac_addr ?? ''
    await machine.sh('sysctl -qw net.ipv4.ip_forward=1 && ip route add 198.51.100.0/24 dev cn0')
    await machine.shOn('host', 'ip addr add 198.51.100.9/24 dev eth0')
    const received = async (): Promise<string> =>
      machine.shOn('host', 'nft list chain netdev count in | grep -o "packets [0-9]*"')
    await machine.shOn(
      'host',
      `nft 'table netdev count { chain in { type filter hook ingress device "eth0" priority 0; udp dport 9 counter; }; }'`,
    )
    const send = (frames: string): Promise<string> =>
      machine.sh(`${inside(sliver.pid)} ${packets} ${frames}`)
    await send(`ipv6 pub1 02:00:00:00:00:99 ${publicAddress(sliver)} ${hostAddress} 20`)
    await send(`ipv6 pub1 ${own} fd77:0:0:3:1003::bad ${hostAddress} 20`)
    await send(`ipv6 pub1 ${own} ${hostAddress} ${hostAddress} 20`)
    await send(`ipv4 pub1 ${own} 192.0.2.99 198.51.100.9 20`)
    expect(await received()).toBe('packets 0\n')
    await send(`ipv6 pub1 ${own} ${publicAddress(sliver)} ${hostAddress} 20`)
    await waitFor(received, 'packets 20\n')
    await agent.call('remove', '7@3')
  })

  test('a sliver’s ICMPv6 errors are about packets that came to it: it changes the path MTU of nobody', async () => {
    const [sending, beside] = await Promise.all(
      [12, 13].map((id) => agent.run(wanted(id, template))),
    )
    if (sending === undefined || beside === undefined) throw new Error('a sliver is missing')
    const mac = (name: string): string =>
      sending.interfaces.find((one) => one.name === name)?.mac_addr ?? ''
    const tell = (
      to: string,
      about: string,
      link: 'pub1' | 'mgmt0' = 'pub1',
      type = 2,
    ): Promise<string> => {
      const from = link === 'pub1' ? publicAddress(sending) : managementAddress(sending)
      return machine.sh(
        `${inside(sending.pid)} ${packets} icmp-error ${link} ${mac(link)} ${from} ${to} ${type} 58 ${about}`,
      )
    }
    await machine.sh('ip addr add fd77:0:2::1/128 dev cn0 nodad')
    const node = 'fd77:0:2::1'
    await tell(node, `${node} ${hostAddress}`)
    await tell(node, `${node} ${serverAddress}`)
    await tell(publicAddress(beside), `${publicAddress(beside)} ${hostAddress}`)
    await tell(hostAddress, `${hostAddress} ${publicAddress(beside)}`)
    await tell(serverAddress, `${serverAddress} ${managementAddress(beside)}`, 'mgmt0')
    // Whoever gets an error of a type that it does not know hands it to the program that it is about. Source: Linux, icmpv6_rcv.
    const ofType100 = async (): Promise<string> =>
      machine.shOn('host', 'nft list chain netdev errors in | grep -o "packets [0-9]*"')
    await machine.shOn(
      'host',
      `nft 'table netdev errors { chain in { type filter hook ingress device "eth0" priority 0; icmpv6 type 100 counter; }; }'`,
    )
    await tell(hostAddress, `${hostAddress} ${publicAddress(beside)}`, 'pub1', 100)
    await tell(hostAddress, `${hostAddress} ${publicAddress(sending)}`, 'pub1', 100)
    await waitFor(ofType100, /packets [1-9]/u)
    expect(await ofType100()).toBe('packets 1\n')
    // What it says of packets to itself arrives. It was sent last.
    await tell(hostAddress, `${hostAddress} ${publicAddress(sending)}`)
    await tell(serverAddress, `${serverAddress} ${managementAddress(sending)}`, 'mgmt0')
    const mtu = (sliver: string): string => `ip -6 route get ${sliver}`
    await waitFor(() => machine.shOn('host', mtu(publicAddress(sending))), 'mtu 1280')
    await waitFor(() => machine.shOn('server', mtu(managementAddress(sending))), 'mtu 1280')
    const paths = [
      machine.sh(`${mtu(hostAddress)} && ${mtu(serverAddress)}`),
      machine.sh(`${inside(beside.pid)} ${mtu(hostAddress)}`),
      machine.shOn('host', mtu(publicAddress(beside))),
      machine.shOn('server', mtu(managementAddress(beside))),
    ]
    expect((await Promise.all(paths)).join('')).not.toContain('mtu')
    const answers = async (): Promise<number> =>
      Number(
        await machine.shOn(
          'host',
          `awk '$1 == "Icmp6InDestUnreachs" { print $2 }' /proc/net/snmp6`,
        ),
      )
    const before = await answers()
    await machine.shOn('host', `${packets} datagrams ${publicAddress(sending)} 1`)
    await waitFor(async () => String((await answers()) - before), /^[1-9]/u)
    await machine.sh('ip addr del fd77:0:2::1/128 dev cn0')
    await agent.call('remove', '13@3')
    await agent.call('remove', '12@3')
  })

  test('a sliver’s router advertisements, redirects and reports of multicast groups reach nobody', async () => {
    const sliver = await agent.run(wanted(14, template))
    const mac = sliver.interfaces.find(({ name }) => name === 'pub1')?.mac_addr ?? ''
    // What the kernel has counted of this link alone: on its other links the node has neighbours that it hears.
    const own = `/proc/net/dev_snmp6/${hostInterface(sliver.nr, 3)}`
    // All routers, solicitation, advertisement, redirect, and multicast listener reports of both versions. Source: RFC 4861, RFC 2710, RFC 3810.
    const counters = 'Icmp6In(RouterSolicits|RouterAdv|NeighborSol|NeighborAdv|Redirects|MLD|Group)'
    const counted = (): Promise<string> => machine.sh(`grep -E '${counters}' ${own}`)
    const send = (to: string, type: number): Promise<string> =>
      machine.sh(
        `${inside(sliver.pid)} ${packets} icmp pub1 ${mac} ${publicAddress(sliver)} ${to} ${type} 200`,
      )
    const before = await counted()
    for (const to of ['ff02::1', 'ff02::2', 'ff02::16', 'fe80::1'])
      for (const type of [130, 131, 133, 134, 135, 136, 137, 143]) await send(to, type)
    // These the node hears: they were sent last.
    const pings = () => machine.sh(`awk '$1 == "Icmp6InEchos" { print $2 }' ${own}`)
    const heard = Number(await pings())
    await send('fe80::1', 128)
    await waitFor(pings, `${heard + 200}\n`)
    expect(await counted()).toBe(before)
    await agent.call('remove', '14@3')
  })

  test('connections of slivers take no place in the owner’s table of connections', async () => {
    const sliver = await agent.run(wanted(3, template))
    const firewall =
      'table inet owner { chain forward { type filter hook forward priority 10; policy accept; ct state new counter; }; }'
    await machine.sh(`nft '${firewall}'`)
    const arrived = async (): Promise<number> =>
      Number(await machine.shOn('host', `awk '$1 == "Udp6NoPorts" { print $2 }' /proc/net/snmp6`))
    const before = await arrived()
    await machine.sh(`${inside(sliver.pid)} ${packets} datagrams ${hostAddress} 1000`)
    await waitFor(async () => String((await arrived()) - before), /^1000$/u)
    expect(await machine.sh('cat /proc/sys/net/netfilter/nf_conntrack_count')).toBe('0\n')
    await machine.sh('nft delete table inet owner')
    await agent.call('remove', '3@3')
  })

  test('a filter that somebody flushes is set again at once, is told, and the next sliver starts', async () => {
    const sliver = await agent.run(wanted(4, template))
    const before = await machine.sh('nft -s list ruleset')
    await machine.sh('nft flush ruleset')
    expect(await agent.found('the packet filter of its slivers was gone')).toContain('set it again')
    expect(await machine.sh('nft -s list ruleset')).toBe(before)
    await machine.sh(
      'nft delete rule inet community_lab_slivers node handle $(nft -a list chain inet community_lab_slivers node | grep frag | grep -o "[0-9]*$")',
    )
    expect(await agent.found('the packet filter of its slivers was changed')).toContain(
      'set it again',
    )
    expect(await machine.sh('nft -s list ruleset')).toBe(before)
    const next = await agent.run(wanted(5, template))
    expect(next.stage).toBe('started')
    expect(await machine.shOn('host', ping(publicAddress(sliver)))).toContain('3 received')
    await agent.call('remove', '5@3')
    await agent.call('remove', '4@3')
  })

  test('where the filter cannot be set again, slivers are stopped, and run again once it can', async () => {
    const target = wanted(8, template)
    const { pid } = await agent.run(target)
    const nft = `${machine.dir}/nft`
    await machine.sh(`cp /usr/sbin/nft ${nft} && mount --bind /bin/false /usr/sbin/nft`)
    await machine.sh(`${nft} flush ruleset`)
    await agent.ended('8@3')
    const ended = await agent.sliver('8@3')
    expect(ended).toMatchObject({ stage: 'deployed', pid: null })
    expect(ended.ended?.message).toContain('no sliver runs until it can be')
    expect(await machine.sh(`ls /proc/${pid ?? 0}/ns/net || echo gone`)).toBe('gone\n')
    expect(await agent.failure('start', target)).toMatchObject({ code: 'LAB_SLIVER_UNFILTERED' })
    await machine.sh('umount /usr/sbin/nft')
    await agent.call('start', target)
    expect(await machine.shOn('host', ping(publicAddress(await agent.sliver('8@3'))))).toContain(
      '3 received',
    )
    await agent.call('remove', '8@3')
  })

  test('limits that somebody lifts are set again', async () => {
    const sliver = await agent.run(wanted(9, template))
    const file = (
      await machine.sh(`ls ${sliver.cgroups.unified ?? sliver.cgroups.pids ?? ''}/pids.max`)
    ).trim()
    const limit = await machine.sh(`cat ${file}`)
    await machine.sh(`echo max > ${file}`)
    await agent.call('check')
    expect(await machine.sh(`cat ${file}`)).toBe(limit)
    expect(await agent.found('the limits of sliver 9@3 were changed')).toContain('pids.max is max')
    await agent.call('remove', '9@3')
  })

  test('links, addresses and routes that somebody removes are made again', async () => {
    const sliver = await agent.run(wanted(6, template))
    const link = hostInterface(sliver.nr, 3)
    await machine.sh(`ip -6 route del ${publicAddress(sliver)}/128 dev ${link}`)
    expect(await agent.found(`had lost the route to ${link}`)).toContain('6@3')
    expect(await machine.shOn('host', ping(publicAddress(sliver)))).toContain('3 received')
    await machine.sh(`ip link del ${hostInterface(sliver.nr, 1)}`)
    await agent.found(`had lost the link ${hostInterface(sliver.nr, 1)}`)
    expect(await machine.shOn('server', ping(managementAddress(sliver)))).toContain('3 received')
    await agent.call('remove', '6@3')
  })
})

describe.runIf(process.getuid?.() === 0)(
  'a kernel that cannot let single interfaces forward',
  () => {
    let machine: Machine

    beforeAll(async () => {
      machine = await powerOn(ownPlace(), true)
    })
    afterAll(() => machine[Symbol.asyncDispose]())

    test('is made to forward without losing or refusing what a router advertises', async () => {
      const old = { forwarding: false, forced: null, acceptRa: '1' }
      const interfaces = [
        { ...old, name: 'cn0' },
        { ...old, name: 'mgmt' },
      ]
      const state = { all: false, byDefault: false, interfaces }
      const { settings } = planForwarding(state, { mgmtInterface: 'mgmt', fromOthers: true })
      const advertised = async (): Promise<void> => {
        await machine.shOn('host', `${packets} router-advertisement eth0`)
        await waitFor(() => machine.sh('ip -6 route show default'), 'proto ra')
      }
      const show = 'cd /proc/sys/net/ipv6/conf && cat all/forwarding cn0/forwarding cn0/accept_ra'
      // An address of the host's own is there when its link is.
      await waitFor(() => machine.shOn('host', 'ip -6 addr show dev eth0'), 'fe80::2')
      await advertised()
      for (const { name, setting, value } of settings)
        await machine.sh(`echo ${value} > /proc/sys/net/ipv6/conf/${name}/${setting}`)
      expect(await machine.sh(show)).toBe('1\n0\n1\n')
      expect(await machine.sh('ip -6 route show default')).toContain('proto ra')
      await machine.sh('ip -6 route del default')
      await advertised()
    })
  },
)

async function waitFor(read: () => Promise<string>, text: string | RegExp): Promise<void> {
  for (;;) {
    const found = await read()
    if (typeof text === 'string' ? found.includes(text) : text.test(found)) return
    await delay(20)
  }
}
