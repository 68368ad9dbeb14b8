import { Group, Island, LabError, nearestName, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'

/** The state of a node as the server knows it. A newer server may have more states. */
export type NodeState =
  'unknown' | 'offline' | 'crashed' | 'debug' | 'safe' | 'production' | 'failure'

/** The resources of a sliver. */
export interface SliverResources {
  /** Memory, in MiB. */
  readonly memoryMiB?: number
  /** Disk space, in MiB. */
  readonly diskMiB?: number
  /** The processor share, in percent of one core. */
  readonly cpuPct?: number
  /** The most processes. */
  readonly processes?: number
}

/** Conditions on nodes. A node must meet all that are given. */
export interface NodeFilter {
  readonly state?: NodeState
  readonly arch?: string
  /** One name, or several. */
  readonly name?: string | readonly string[]
  /** Properties that the node must have, with these values. */
  readonly properties?: Readonly<Record<string, string>>
  /** The name of the island that the node is on. */
  readonly island?: string
  /** The name of the group that the node belongs to. */
  readonly group?: string
  /** The node must have room for one more sliver with these resources. What is left out is that of a sliver by default: 64 MiB of memory, 128 MiB of disk. */
  readonly resources?: SliverResources
  /**
   * Whether slivers succeed on the node. `true`: only nodes that are ready; `false`: only those on which slivers of several slices in a row failed; `'any'`: both.
   * Default: `'any'` for nodes that are given by name, otherwise `true`.
   */
  readonly ready?: boolean | 'any'
  readonly signal?: AbortSignal
}

/** The most names in one request, whose head has at most 16 KiB. */
const namesPerRequest = 100

/** Split names so that each part fits into one request. Undefined stands for any name; an empty list has no part. */
export function splitNames(
  names: string | readonly string[] | undefined,
): readonly (string | readonly string[] | undefined)[] {
  if (names === undefined || typeof names === 'string') return [names]
  const several = [...new Set(names)]
  return Array.from({ length: Math.ceil(several.length / namesPerRequest) }, (_, at) =>
    several.slice(at * namesPerRequest, (at + 1) * namesPerRequest),
  )
}

/** A filter of nodes. An undefined name stands for any. */
type NodeQuery = Omit<NodeFilter, 'name'> & {
  readonly name: string | readonly string[] | undefined
}

/**
 * Write a filter of nodes as the query of a request, so that the server applies it.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for an island or a group that does not exist.
 */
export async function writeNodeQuery(
  session: Session,
  filter: NodeQuery,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const { state, arch, name, properties = {}, resources, island, group } = filter
  const [islandId, groupId] = await Promise.all([
    island === undefined ? undefined : findId(session, { what: 'island', name: island, signal }),
    group === undefined ? undefined : findId(session, { what: 'group', name: group, signal }),
  ])
  const members: Readonly<Record<string, unknown>> = {
    '/state': state,
    '/arch': arch,
    '/name': name,
    '/island/id': islandId,
    '/group/id': groupId,
    room: resources === undefined ? undefined : roomOf(resources),
    ...Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [`/properties/${key}`, value]),
    ),
  }
  return Object.fromEntries(
    Object.entries(members).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, JSON.stringify(value)]],
    ),
  )
}

function roomOf({ memoryMiB, diskMiB, cpuPct, processes }: NonNullable<NodeFilter['resources']>) {
  return { memory: memoryMiB, disk: diskMiB, cpu: cpuPct, processes }
}

interface Sought {
  readonly what: 'island' | 'group'
  readonly name: string
  readonly signal: AbortSignal
}

async function findId({ http }: Session, { what, name, signal }: Sought): Promise<number> {
  const schema = what === 'island' ? Island : Group
  const all = await http.ask(Type.Array(schema), routes[`${what}s`], { signal })
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found.id
  const names = all.map((one) => one.name)
  const nearest = nearestName(name, names)
  const known =
    names.length === 0 ? `there is no ${what} yet` : `there are ${names.slice(0, 12).join(', ')}`
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: what,
    found: JSON.stringify(name),
    expected: `the name of ${what === 'island' ? 'an island' : 'a group'}${nearest === null ? '' : `, perhaps ${nearest}`} (${known})`,
  })
}
