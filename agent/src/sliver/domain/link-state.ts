import { addressed, gatewayAddress, hostInterface, type LinkedSliver } from './interfaces.ts'

/** The output of iproute2 about this network namespace. */
export interface LinkState {
  readonly links: readonly { readonly name: string; readonly isUp: boolean }[]
  readonly addresses: readonly Words[]
  readonly neighbours: readonly Words[]
  readonly routes: readonly Words[]
}

/** The words of a line. */
type Words = ReadonlySet<string>

/** The lines for `ip -6 -o -batch` that show everything: one command is quicker than four. */
export const linkStateLines: readonly string[] = [
  'link show type veth',
  'addr show scope link',
  'neigh show nud permanent',
  'route show table main',
]

/**
 * Parse the output of {@link linkStateLines}:
 *
 * ```
 * 12: slv-01-03@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 …
 * 12: slv-01-03    inet6 fe80::1/64 scope link …
 * fd77::1 dev slv-01-03 lladdr 06:ab:00:0b:01:03 PERMANENT
 * fd77::1 dev slv-01-03 metric 1024 pref medium
 * ```
 */
export function parseLinkState(text: string): LinkState {
  const lines = text.split('\n')
  const links = lines.flatMap((line) => {
    const [, name, flags = ''] = /^\d+: ([^@:\s]+)\S* <([^>]*)>/u.exec(line) ?? []
    return name === undefined ? [] : [{ name, isUp: flags.split(',').includes('UP') }]
  })
  const others = lines.filter((line) => !/^\d+: \S+ </u.test(line))
  const words = others.map((line) => new Set(line.trim().split(/\s+/u)))
  const isAddress = (line: Words): boolean => line.has('inet6')
  const isNeighbour = (line: Words): boolean => line.has('lladdr')
  return {
    links,
    addresses: words.filter(isAddress),
    neighbours: words.filter(isNeighbour),
    routes: words.filter((line) => !isAddress(line) && !isNeighbour(line)),
  }
}

/** Find what is missing of a sliver's links. Each element names a part and its interface. */
export function findLacks(sliver: LinkedSliver, state: LinkState): readonly string[] {
  const { addresses, neighbours, routes } = state
  return addressed(sliver.interfaces).flatMap(({ nr, mac_addr, ipv6_addr }) => {
    const name = hostInterface(sliver.nr, nr)
    const link = state.links.find((one) => one.name === name)
    if (link === undefined) return [`the link ${name}`]
    const has = (lines: readonly Words[], ...words: readonly string[]): boolean =>
      lines.some((line) => [name, ...words].every((word) => line.has(word)))
    return [
      ...(link.isUp ? [] : [`the state "up" of ${name}`]),
      ...(has(addresses, `${gatewayAddress}/64`) ? [] : [`the address of ${name}`]),
      ...(has(neighbours, ipv6_addr, mac_addr) ? [] : [`the neighbour behind ${name}`]),
      ...(has(routes, ipv6_addr) ? [] : [`the route to ${name}`]),
    ]
  })
}
