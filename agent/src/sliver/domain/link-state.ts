import { addressed, gatewayAddress, hostInterface, type LinkedSliver } from './interfaces.ts'

/** What iproute2 tells of this network namespace. */
export interface LinkState {
  readonly links: readonly { readonly name: string; readonly isUp: boolean }[]
  /** `ip -6 -o addr show`: `12: slv-01-03    inet6 fe80::1/64 scope link …` */
  readonly addresses: string
  /** `ip -6 neigh show nud permanent`: `fd77::1 dev slv-01-03 lladdr 06:ab:00:0b:01:03 PERMANENT` */
  readonly neighbours: string
  /** `ip -6 route show`: `fd77::1 dev slv-01-03 metric 1024 pref medium` */
  readonly routes: string
}

/** Find what is missing of a sliver's links, in words: each member is a thing and the interface it is missing of. */
export function findLacks(sliver: LinkedSliver, state: LinkState): readonly string[] {
  const addresses = wordsOf(state.addresses)
  const neighbours = wordsOf(state.neighbours)
  const routes = wordsOf(state.routes)
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

type Words = ReadonlySet<string>

function wordsOf(text: string): readonly Words[] {
  return text.split('\n').map((line) => new Set(line.split(/\s+/u)))
}
