import { hostManagementAddress, nodeManagementSubnet, serverManagementAddress } from './address.ts'
import { formatIpv6, parseIpv6 } from './ipv6.ts'

/**
 * The text of tinc 1.0's files, for the server's gateway and for agents. The network is a star: every node connects to the server and routes the testbed's
 * prefix to it, and the server (`TunnelServer`) does not forward what one node says about another. `StrictSubnets` on the server alone is not enough: tinc
 * forwards what it ignores, so a node that announces `P::2/128` with a low weight would take over the server's address at all other nodes (tested with tinc
 * 1.0.36).
 */

/** The device through which tincd exchanges packets with Linux; `raw_socket` on a veth pair where `/dev/net/tun` cannot be used. */
export type TincDevice = 'tun' | 'raw_socket'

/** The MTU of the management network, in bytes. Source: CONFINE node system. */
export const tincMtuBytes = 1400
/** tinc's default port. */
export const tincDefaultPort = 655

/** tinc's name of a server: `server_<id>`. Source: CONFINE. */
export function serverTincName(serverId = 2): string {
  return `server_${serverId}`
}

/** tinc's name of a node: `node_<id>`. Source: CONFINE. */
export function nodeTincName(nodeId: number): string {
  return `node_${nodeId}`
}

/** tinc's name of a host: `host_<id>`. Source: CONFINE. */
export function hostTincName(hostId: number): string {
  return `host_${hostId}`
}

/** Return the owner of a tinc name; `null` for other names. Source: CONFINE, ids in decimal. */
export function parseTincName(
  name: string,
): { readonly kind: 'server' | 'node' | 'host'; readonly id: number } | null {
  const match = /^(server|node|host)_([1-9][0-9]{0,14})$/u.exec(name)
  const kind = match?.[1]
  if (kind !== 'server' && kind !== 'node' && kind !== 'host') return null
  return { kind, id: Number(match?.[2]) }
}

/** Return the subnet that a tinc host has in the address plan; `null` for a name outside the plan. */
export function tincSubnet(prefix: string, name: string): string | null {
  const owner = parseTincName(name)
  if (owner === null) return null
  try {
    if (owner.kind === 'node') return nodeManagementSubnet(prefix, owner.id)
    if (owner.kind === 'host') return `${hostManagementAddress(prefix, owner.id)}/128`
    return `${serverManagementAddress(prefix, owner.id)}/128`
  } catch {
    // The id is outside of the plan, so the host has no subnet.
    return null
  }
}

/** The content of a tinc host file. */
export interface TincHostFile {
  /** The addresses to connect to; none for nodes. */
  readonly addresses?: readonly { readonly addr: string; readonly port: number }[]
  /** The port that it listens on, for its own file; default {@link tincDefaultPort}. */
  readonly port?: number
  /** `address/length` in canonical form. */
  readonly subnets: readonly string[]
  /** RSA public key, PKCS #1 PEM. */
  readonly pubkey: string
}

const pemRegExp =
  /^-----BEGIN RSA PUBLIC KEY-----\n(?:[A-Za-z0-9+/=]{1,76}\n){1,40}-----END RSA PUBLIC KEY-----\n?$/u

/** Tell whether a text is the PEM of one PKCS #1 RSA public key (its form, not its mathematics). */
export function isRsaPublicKeyPem(text: string): boolean {
  return text.length <= 4096 && pemRegExp.test(text)
}

/** Write a host file. @throws RangeError when a subnet, an address or the key is malformed, so that nobody can inject lines. */
export function renderHostFile(host: TincHostFile): string {
  if (!isRsaPublicKeyPem(host.pubkey)) throw new RangeError('not the PEM of an RSA public key')
  const lines = [
    ...(host.addresses ?? []).map(({ addr, port }) => `Address = ${toHost(addr)} ${toPort(port)}`),
    ...(host.port === undefined ? [] : [`Port = ${toPort(host.port)}`]),
    ...host.subnets.map((subnet) => `Subnet = ${canonicalSubnet(subnet)}`),
  ]
  return `${lines.join('\n')}\n\n${host.pubkey.trimEnd()}\n`
}

/**
 * Parse a host file that has only `Address`, `Port` and `Subnet` lines and one key. Other options are refused, because `PublicKeyFile`, for example, would read
 * any file. @throws RangeError naming the line.
 */
export function parseHostFile(text: string): TincHostFile {
  const start = text.indexOf('-----BEGIN')
  const pubkey = start < 0 ? '' : text.slice(start)
  if (!isRsaPublicKeyPem(pubkey)) throw new RangeError('no RSA public key, or something behind it')
  const addresses: { addr: string; port: number }[] = []
  const subnets: string[] = []
  let port: number | undefined
  for (const line of text.slice(0, start).split('\n')) {
    if (line.trim() === '') continue
    const match = /^(Address|Port|Subnet) = (\S+)(?: (\d+))?$/u.exec(line)
    const [, key, value = '', extra] = match ?? []
    if (key === 'Subnet' && extra === undefined) subnets.push(canonicalSubnet(value))
    else if (key === 'Port' && extra === undefined) port = toPort(Number(value))
    else if (key === 'Address')
      addresses.push({ addr: toHost(value), port: toPort(Number(extra ?? tincDefaultPort)) })
    else
      throw new RangeError(`not a line of a host file here: ${JSON.stringify(line.slice(0, 60))}`)
  }
  return { addresses, subnets, pubkey, ...(port === undefined ? {} : { port }) }
}

/** Options of {@link renderTincConf}. */
export interface TincConfOptions {
  readonly name: string
  readonly interface: string
  readonly device: TincDevice
  /** Names of the hosts to connect to; none on the server. */
  readonly connectTo: readonly string[]
  /** `hub`: ignore what one host says about another. */
  readonly role: 'hub' | 'spoke'
}

/**
 * Write tinc.conf.
 *
 * Source: measured: with these settings, a cut link is noticed after PingInterval + PingTimeout = 15 s, and a lost connection is tried again every 5 s.
 */
export function renderTincConf(options: TincConfOptions): string {
  const device =
    options.device === 'tun'
      ? [`Interface = ${toInterface(options.interface)}`]
      : ['DeviceType = raw_socket', `Interface = ${rawSocketPeer(options.interface)}`]
  const lines = [
    `Name = ${toName(options.name)}`,
    'Mode = router',
    'AddressFamily = any',
    ...device,
    'StrictSubnets = yes',
    ...(options.role === 'hub' ? ['TunnelServer = yes'] : []),
    'PingInterval = 10',
    'PingTimeout = 5',
    'MaxTimeout = 5',
    ...options.connectTo.map((name) => `ConnectTo = ${toName(name)}`),
  ]
  return `${lines.join('\n')}\n`
}

/** Return the name of the interface that tincd uses without a tun device: the far end of the management interface's veth pair. */
export function rawSocketPeer(name: string): string {
  return toInterface(`${name}-t`)
}

/** Options of {@link renderTincUp} and {@link rawSocketCommands}. */
export interface TincInterfaceOptions {
  readonly interface: string
  /** This host's management address. */
  readonly address: string
  /** The testbed's /48. */
  readonly prefix: string
}

/** Write tinc-up. With `raw_socket` the interface exists before tincd starts (see {@link rawSocketCommands}), so tinc-up does nothing. */
export function renderTincUp(device: TincDevice, options: TincInterfaceOptions): string {
  const commands =
    device === 'raw_socket'
      ? []
      : [
          [
            'ip',
            'link',
            'set',
            'dev',
            toInterface(options.interface),
            'mtu',
            `${tincMtuBytes}`,
            'up',
          ],
          ...addressCommands(options),
        ]
  return ['#!/bin/sh', 'set -e', ...commands.map((argv) => argv.join(' ')), ''].join('\n')
}

/**
 * Return the commands, as argument lists, that create the veth pair for `DeviceType = raw_socket`: tincd on one end, the management interface on the other.
 *
 * The interface has no ARP and tinc's own router MAC address, so that frames of other raw_socket hosts are accepted. Frames of tun hosts have an empty MAC
 * address, and Linux would drop them as another host's, hence the ingress rule. Offloads are off, because nobody would compute the checksums.
 */
export function rawSocketCommands(options: TincInterfaceOptions): readonly (readonly string[])[] {
  const name = toInterface(options.interface)
  const peer = rawSocketPeer(options.interface)
  const mtu = `${tincMtuBytes}`
  const rule = `table netdev ${tableName(name)} { chain in { type filter hook ingress device "${name}" priority 0; meta pkttype other meta pkttype set host; }; }`
  return [
    [
      ...['ip', 'link', 'add', name, 'address', 'fe:fd:00:00:00:00', 'mtu', mtu],
      ...['type', 'veth', 'peer', 'name', peer, 'mtu', mtu],
    ],
    ['ip', 'link', 'set', 'dev', name, 'arp', 'off', 'addrgenmode', 'none'],
    ['ip', 'link', 'set', 'dev', peer, 'addrgenmode', 'none'],
    ['ethtool', '-K', name, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'],
    ['nft', rule],
    ['ip', 'link', 'set', 'dev', peer, 'up'],
    ['ip', 'link', 'set', 'dev', name, 'up'],
    ...addressCommands(options),
  ]
}

/** Return the commands that remove what {@link rawSocketCommands} created. Each may fail when there is nothing to remove. */
export function rawSocketRemovalCommands(name: string): readonly (readonly string[])[] {
  return [
    ['nft', `delete table netdev ${tableName(toInterface(name))}`],
    ['ip', 'link', 'del', 'dev', toInterface(name)],
  ]
}

function addressCommands(options: TincInterfaceOptions): string[][] {
  const name = toInterface(options.interface)
  const address = canonicalSubnet(`${options.address}/128`)
  return [
    ['ip', '-6', 'addr', 'replace', address, 'dev', name, 'nodad'],
    ['ip', '-6', 'route', 'replace', canonicalSubnet(options.prefix), 'dev', name],
  ]
}

function tableName(name: string): string {
  return name.replaceAll(/[^a-z0-9]/gu, '_')
}

/** Write `address/length` in canonical form, without tinc's `#weight`. @throws RangeError when it is not an IPv6 subnet. */
export function canonicalSubnet(subnet: string): string {
  const match = /^([0-9a-fA-F:]{2,39})\/(\d{1,3})(?:#\d{1,9})?$/u.exec(subnet)
  const length = Number(match?.[2])
  if (match === null || length > 128)
    throw new RangeError(`not an IPv6 subnet: ${JSON.stringify(subnet.slice(0, 60))}`)
  return `${formatIpv6(parseIpv6(match[1] ?? ''))}/${length}`
}

function toName(name: string): string {
  if (parseTincName(name) === null)
    throw new RangeError(`not a name in tinc: ${JSON.stringify(name.slice(0, 40))}`)
  return name
}

function toInterface(name: string): string {
  if (!/^[a-z][a-z0-9-]{0,14}$/u.test(name))
    throw new RangeError(`not an interface name: ${JSON.stringify(name.slice(0, 40))}`)
  return name
}

function toHost(addr: string): string {
  if (!/^[0-9A-Za-z][0-9A-Za-z.:-]{0,252}$|^::[0-9a-fA-F:]{0,37}$/u.test(addr))
    throw new RangeError(`not an address: ${JSON.stringify(addr.slice(0, 60))}`)
  return addr
}

function toPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new RangeError(`not a port: ${port}`)
  return port
}
