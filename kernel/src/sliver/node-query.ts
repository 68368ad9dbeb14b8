import { Group, Island, LabError, nearestName, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'
import type { NodeFilter } from './node.ts'

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
