import { expect, test } from 'vitest'
import {
  cutCommands,
  namespaces,
  nodeScript,
  relayScript,
  shapeCommands,
  underlayAddress,
  wiringScript,
} from '../../../../server/vct/src/network/commands.ts'
import { nodeRouter, serverRouter } from '../../../../server/vct/src/network/babel.ts'
import { planTopology } from '../../../../server/vct/src/network/topology.ts'

const topology = planTopology(5)
const lines = (commands: readonly (readonly string[])[]) => commands.map((argv) => argv.join(' '))

test('with netem each link is a pair of interfaces and the kernel does all the shaping', () => {
  expect(namespaces(topology, 'netem')).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'])
  expect(lines(wiringScript(topology, 'netem').commands)).toContain(
    'ip link add name w5 netns n2 type veth peer name w2 netns n5',
  )
  expect(lines(shapeCommands('w5', { rateMbps: 20, delayMs: 5 }, 'netem'))).toEqual([
    'tc qdisc replace dev w5 root netem delay 5000us rate 20000000bit limit 1000',
  ])
})

test('with the relay each node has one interface to it, with offloads off at both ends lest TCP hangs', () => {
  expect(namespaces(topology, 'relay')).toContain('relay')
  expect(lines(wiringScript(topology, 'relay').commands)).not.toContain('w5')
  expect(lines(nodeScript(topology, 2, 'relay').commands)).toContain(
    'ethtool -K ul tx off gso off tso off',
  )
  expect(lines(relayScript(topology).commands)).toContain('ethtool -K u2 tx off gso off tso off')
})

test('a node forwards, and refuses what none of its slivers has', () => {
  const commands = lines(nodeScript(topology, 3, 'relay').commands)
  expect(commands).toContain('sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1')
  // What a kernel does not know of this is left out.
  expect(commands).toContain('sysctl -eqw net.ipv4.tcp_child_ehash_entries=1024')
  expect(commands).toContain(
    'ip -6 route add unreachable fd77:0:0:3::/64 metric 65000 proto static',
  )
})

test('addresses of the underlay stay apart beyond 255 nodes', () => {
  expect(underlayAddress(5)).toBe('10.99.0.5')
  expect(underlayAddress(256)).toBe('10.99.1.0')
})

test('a cut drops what comes in before anything else sees it', () => {
  expect(lines(cutCommands('w2'))[1]).toContain(
    '{ type filter hook ingress device "w2" priority -500; policy drop; }',
  )
})

test('a node announces its own address and its slivers, the server itself alone', () => {
  expect(nodeRouter(topology, 2).configuration).toContain('redistribute ip fd77:0:0:2::/64 eq 64')
  expect(nodeRouter(topology, 2).interfaces).toEqual(['w1', 'w3', 'w5'])
  expect(nodeRouter(topology, 3).configuration).toMatch(
    /in neigh fe80::2 allow\nin neigh fe80::4 allow\nin neigh fe80::5e allow\nin deny\n/u,
  )
  const server = serverRouter(topology)
  expect(server.interfaces).toEqual(['w1', 'w3'])
  expect(server.configuration).toContain('out deny')
})
