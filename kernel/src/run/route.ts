import { parseIpv6 } from '@community-lab/contract'
import { inspect } from 'node:util'
import { makeDisplayable } from '../display/bundle.ts'
import { escapeHtml } from '../display/table.ts'
import { findPing } from './ping.ts'

/** A router on a route, or its destination. */
export interface Hop {
  /** The number of the hop, from 1. */
  readonly ttl: number
  /** Null: the hop did not answer. */
  readonly address: string | null
  /** The name of the node that has the address; null: not known. */
  readonly node: string | null
}

/** A route from one sliver to another. */
export interface Route {
  /**
   * The names of the nodes on the route, including both ends; `?` for a router that did not answer; an address that belongs to no known node is given as it is.
   */
  readonly path: readonly string[]
  readonly hops: readonly Hop[]
  /** Whether the destination answered. */
  readonly reached: boolean
}

/** The addresses of a node in the community network. */
export interface NodeAddresses {
  readonly name: string
  readonly address: string | null
  /** The /64 prefix of its slivers. */
  readonly prefix: string | null
}

/** The most hops of a route. */
const maxHops = 20

/** Return the command that probes every hop limit at the same time with iputils' ping. It prints a line for each: the hop limit and ping's output. */
export function routeCommand(address: string): string {
  return `${findPing}; for t in $(seq 1 ${maxHops}); do (LC_ALL=C $ping -n -c 1 -W 2 -t $t ${address} 2>&1 | sed "s/^/$t /") & done; wait`
}

/** Parse the output of {@link routeCommand}. */
export function readHops(
  output: string,
  to: string,
): { hops: Omit<Hop, 'node'>[]; reached: boolean } {
  const answers = new Map<number, string>()
  let end = Infinity
  for (const line of output.split('\n')) {
    const match =
      /^(\d+) (?:From ([0-9a-f:.]+)(?:%\S+)? icmp_seq=\d+ Time exceeded|\d+ bytes from ([0-9a-f:.]+)(?:%\S+)?: icmp_seq)/u.exec(
        line,
      )
    if (match === null) continue
    const ttl = Number(match[1])
    const address = match[2] ?? match[3] ?? ''
    answers.set(ttl, address)
    if (match[3] !== undefined) end = Math.min(end, ttl)
  }
  const reached = Number.isFinite(end)
  const last = reached ? end : Math.max(0, ...answers.keys())
  const hops = Array.from({ length: last }, (_, index) => ({
    ttl: index + 1,
    address: index + 1 === end ? to : (answers.get(index + 1) ?? null),
  }))
  return { hops, reached }
}

/** Add the names of nodes to hops. */
export function nameHops(
  hops: readonly Omit<Hop, 'node'>[],
  nodes: readonly NodeAddresses[],
): Hop[] {
  return hops.map((hop) => ({
    ...hop,
    node: hop.address === null ? null : findNode(hop.address, nodes),
  }))
}

/** Make a route of named hops. It shows itself as `n1 → n2 → n5`. */
export function createRoute(from: string, hops: readonly Hop[], reached: boolean): Route {
  const path = [from]
  for (const { node, address } of hops) {
    const name = node ?? address ?? '?'
    // A node at an end occurs twice: as the router of the sliver and as the node of the sliver.
    if (name !== path.at(-1)) path.push(name)
  }
  const route: Route = { path, hops, reached }
  const text = (): string => `${path.join(' → ')}${reached ? '' : ' → (no answer)'}`
  return makeDisplayable(route, {
    text,
    bundle: () => ({
      'text/plain': text(),
      'text/html': `<strong>${escapeHtml(text())}</strong><pre>${escapeHtml(inspect(hops))}</pre>`,
    }),
  })
}

function findNode(address: string, nodes: readonly NodeAddresses[]): string | null {
  const wanted = maybeGroups(address)
  if (wanted === null) return null
  const found = nodes.find(({ address: own, prefix }) => {
    const ownGroups = own === null ? null : maybeGroups(own)
    if (ownGroups?.join() === wanted.join()) return true
    const groups = prefix === null ? null : maybeGroups(prefix.replace(/\/\d+$/u, ''))
    return groups?.slice(0, 4).join() === wanted.slice(0, 4).join()
  })
  return found?.name ?? null
}

function maybeGroups(text: string): readonly number[] | null {
  try {
    return parseIpv6(text)
  } catch {
    // Not an address, so it belongs to no node.
    return null
  }
}
