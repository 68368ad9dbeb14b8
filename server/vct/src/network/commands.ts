import {
  communityAddress,
  linkAddress,
  nodeName,
  publicPrefix,
  radioName,
  serverCommunityAddress,
  serverHost,
  uplinkName,
  type MeshLink,
  type Shape,
  type Topology,
} from './topology.ts'

/** How links get their delay: from the kernel's netem, or from a relay process through which VXLAN packets pass. */
export type Shaping = 'netem' | 'relay'

/** The network namespace of the relay. */
export const relayNamespace = 'relay'
/** The relay's address in the underlay network of the links, and the port of VXLAN. */
export const relayAddress = '10.99.255.254'
export const vxlanPort = 4789
/** The number of slots in a sliver's table of TCP connections, a power of two. More connections share slots, which costs them little. */
const sliverConnectionSlots = 1024

/** Return the address of a node in the underlay. */
export function underlayAddress(n: number): string {
  return `10.99.${n >> 8}.${n & 0xff}`
}

/** Return the VXLAN id of a link, by its index in the topology. */
export function linkVni(index: number): number {
  return 100 + index
}

/** Commands for one namespace, as one argv each. The namespace null is the pod's own, which is the server's. */
export interface NamespaceScript {
  readonly namespace: string | null
  readonly commands: readonly (readonly string[])[]
}

/** List the namespaces that must exist before {@link wiringScript} runs. */
export function namespaces(topology: Topology, shaping: Shaping): readonly string[] {
  const nodes = topology.nodes.map(nodeName)
  return shaping === 'relay' ? [...nodes, relayNamespace] : nodes
}

/** Return the commands in the pod's own namespace that create all pairs of interfaces and move them to the nodes' namespaces. */
export function wiringScript(topology: Topology, shaping: Shaping): NamespaceScript {
  const commands: string[][] = []
  for (const n of topology.uplinks) {
    commands.push(vethPair({ name: `w${n}` }, { name: uplinkName, netns: nodeName(n) }))
  }
  if (shaping === 'relay') {
    for (const n of topology.nodes) {
      const ends = [
        { name: `u${n}`, netns: relayNamespace },
        { name: 'ul', netns: nodeName(n) },
      ] as const
      commands.push([...vethPair(...ends)])
    }
  } else {
    for (const { a, b } of topology.links) {
      const ends = [
        { name: radioName(b), netns: nodeName(a) },
        { name: radioName(a), netns: nodeName(b) },
      ] as const
      commands.push([...vethPair(...ends)])
    }
  }
  return { namespace: null, commands }
}

/** Return the commands that configure the namespace of a node: forwarding, addresses, the shape of its radios, and the prefix that it announces. */
export function nodeScript(topology: Topology, n: number, shaping: Shaping): NamespaceScript {
  const commands: string[][] = [
    ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.ip_forward=1'],
    // Each sliver gets its own table of TCP connections with this many slots. Otherwise all share the host's table, and every program that lists a sliver's
    // connections, as its SSH server does when it starts, reads hundreds of thousands of slots. Kernels before Linux 6.1 do not have this setting.
    ['sysctl', '-eqw', `net.ipv4.tcp_child_ehash_entries=${sliverConnectionSlots}`],
    ['ip', 'link', 'set', 'lo', 'up'],
    ['ip', 'addr', 'add', `${communityAddress(n)}/128`, 'dev', 'lo', 'nodad'],
    // A sliver's own route is more specific than this one. So packets to addresses that no sliver has are refused here, and babeld has a route of this prefix
    // to announce.
    [
      ...['ip', '-6', 'route', 'add', 'unreachable', publicPrefix(n)],
      ...['metric', '65000', 'proto', 'static'],
    ],
  ]
  if (shaping === 'relay') {
    commands.push(
      ['ip', 'link', 'set', 'ul', 'mtu', '1600', 'addrgenmode', 'none', 'up'],
      ['ip', 'addr', 'add', underlayAddress(n), 'peer', relayAddress, 'dev', 'ul'],
      // Without this nothing computes the inner checksums, and TCP hangs.
      ['ethtool', '-K', 'ul', 'tx', 'off', 'gso', 'off', 'tso', 'off'],
    )
  }
  topology.links.forEach((link, index) => {
    if (link.a === n || link.b === n)
      commands.push(...radioCommands(n, link, shaping, linkVni(index)))
  })
  if (topology.uplinks.includes(n)) commands.push(...upCommands(uplinkName, n))
  return { namespace: nodeName(n), commands }
}

/** Return the commands that configure the pod's own namespace for the server. */
export function serverScript(topology: Topology): NamespaceScript {
  return {
    namespace: null,
    commands: [
      ['ip', 'link', 'set', 'lo', 'up'],
      ['ip', 'addr', 'add', `${serverCommunityAddress}/128`, 'dev', 'lo', 'nodad'],
      ...topology.uplinks.flatMap((n) => upCommands(radioName(n), serverHost)),
    ],
  }
}

/** Return the commands that configure the relay's namespace. It does not forward, so nodes reach each other only through the relay process. */
export function relayScript(topology: Topology): NamespaceScript {
  return {
    namespace: relayNamespace,
    commands: [
      ['ip', 'link', 'set', 'lo', 'up'],
      ...topology.nodes.flatMap((n) => [
        ['ip', 'link', 'set', `u${n}`, 'mtu', '1600', 'addrgenmode', 'none', 'up'],
        ['ip', 'addr', 'add', relayAddress, 'peer', underlayAddress(n), 'dev', `u${n}`],
        ['ethtool', '-K', `u${n}`, 'tx', 'off', 'gso', 'off', 'tso', 'off'],
      ]),
    ],
  }
}

/** Return the commands that shape one interface. With the relay, the kernel limits the rate and the relay adds the delay. */
export function shapeCommands(
  name: string,
  shape: Shape,
  shaping: Shaping,
): readonly (readonly string[])[] {
  const rate = `${Math.round(shape.rateMbps * 1e6)}bit`
  const qdisc =
    shaping === 'netem'
      ? ['netem', 'delay', `${Math.round(shape.delayMs * 1000)}us`, 'rate', rate, 'limit', '1000']
      : ['tbf', 'rate', rate, 'burst', '16kb', 'latency', '100ms']
  return [['tc', 'qdisc', 'replace', 'dev', name, 'root', ...qdisc]]
}

/** Return the commands that drop all packets that an interface receives. The sender is not notified, as with an obstacle in front of an antenna. */
export function cutCommands(name: string): readonly (readonly string[])[] {
  const chain = ['add', 'chain', 'netdev', cutTable(name), 'in']
  const hook = `{ type filter hook ingress device "${name}" priority -500; policy drop; }`
  return [
    ['nft', 'add', 'table', 'netdev', cutTable(name)],
    ['nft', ...chain, hook],
  ]
}

/** Return the commands that undo {@link cutCommands}. */
export function restoreCommands(name: string): readonly (readonly string[])[] {
  return [
    ['nft', 'add', 'table', 'netdev', cutTable(name)],
    ['nft', 'delete', 'table', 'netdev', cutTable(name)],
  ]
}

function radioCommands(n: number, link: MeshLink, shaping: Shaping, vni: number): string[][] {
  const name = radioName(link.a === n ? link.b : link.a)
  const made =
    shaping === 'relay'
      ? [
          [
            ...['ip', 'link', 'add', name, 'mtu', '1500', 'type', 'vxlan', 'id', `${vni}`],
            ...['local', underlayAddress(n), 'remote', relayAddress],
            ...['dstport', `${vxlanPort}`, 'dev', 'ul', 'nolearning'],
          ],
          ['ethtool', '-K', name, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'],
        ]
      : []
  const shape = shapeCommands(name, link.shape, shaping).map((argv) => [...argv])
  return [...made, ...shape, ...upCommands(name, n)]
}

/** The link-local addresses are fixed, because babeld converges ten times sooner with them than with those that the kernel generates. */
function upCommands(name: string, host: number): string[][] {
  return [
    ['ip', 'link', 'set', name, 'addrgenmode', 'none', 'up'],
    ['ip', 'addr', 'add', `${linkAddress(host)}/64`, 'dev', name, 'nodad'],
  ]
}

interface VethEnd {
  readonly name: string
  readonly netns?: string
}

function vethPair(one: VethEnd, other: VethEnd): string[] {
  const place = (end: VethEnd) => (end.netns === undefined ? [] : ['netns', end.netns])
  return [
    ...['ip', 'link', 'add', 'name', one.name, ...place(one), 'type', 'veth'],
    ...['peer', 'name', other.name, ...place(other)],
  ]
}

const cutPrefix = 'cut_'

function cutTable(name: string): string {
  return cutPrefix + name
}

/** Return the interface that a table of {@link cutCommands} cuts; null for every other table. */
export function cutInterface(table: string): string | null {
  return table.startsWith(cutPrefix) ? table.slice(cutPrefix.length) : null
}
