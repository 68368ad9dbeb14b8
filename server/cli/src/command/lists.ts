import {
  Group,
  GroupRequest,
  Host,
  Island,
  isReadable,
  Node,
  routes,
  Server,
  Slice,
  Sliver,
  Template,
  User,
} from '@community-lab/contract'
import Type, { type Static, type TSchema } from 'typebox'
import type { Change } from '../http/changes.ts'
import type { Client } from '../http/client.ts'

/** The lists of objects whose changes the server tells. */
const lists = {
  group: { schema: Group, route: routes.groups },
  host: { schema: Host, route: routes.hosts },
  island: { schema: Island, route: routes.islands },
  node: { schema: Node, route: routes.nodes },
  request: { schema: GroupRequest, route: routes.requests },
  server: { schema: Server, route: routes.servers },
  slice: { schema: Slice, route: routes.slices },
  sliver: { schema: Sliver, route: routes.slivers },
  template: { schema: Template, route: routes.templates },
  user: { schema: User, route: routes.users },
} as const satisfies Readonly<Record<string, { schema: TSchema; route: string }>>

/** The kind of an object that is listed. */
export type Kind = keyof typeof lists

/** Objects of some kinds, each in the order of ids. */
export type Objects<K extends Kind> = {
  readonly [P in K]: readonly Static<(typeof lists)[P]['schema']>[]
}

/** Read the lists of some kinds. */
export async function readObjects<K extends Kind>(
  client: Client,
  kinds: readonly K[],
): Promise<Objects<K>> {
  const entries = kinds.map(async (kind) => {
    const { schema, route }: { readonly schema: TSchema; readonly route: string } = lists[kind]
    return [kind, await list(client, { schema, route })] as const
  })
  // Each list was checked by the schema of its kind.
  return Object.fromEntries(await Promise.all(entries)) as unknown as Objects<K>
}

/** Read the slivers of a slice. */
export function listSlivers(client: Client, sliceId: number): Promise<readonly Sliver[]> {
  return list(client, { schema: Sliver, route: `${routes.slivers}?/slice/id=${sliceId}` })
}

/** Return the objects after a change. A change of another kind, or to an object that cannot be read, changes nothing. */
export function applyChange<K extends Kind>(
  objects: Objects<K>,
  { kind, object_id: id, object }: Change,
): Objects<K> {
  if (!isKindOf(objects, kind)) return objects
  const { schema } = lists[kind]
  if (object !== null && !isReadable(schema, object)) return objects
  const others = objects[kind].filter((one) => String(one.id) !== id)
  return { ...objects, [kind]: object === null ? others : inOrder([...others, object]) }
}

function isKindOf<K extends Kind>(objects: Objects<K>, kind: string): kind is K {
  return Object.hasOwn(objects, kind)
}

/** List all groups, in the order of their ids. */
export const listGroups = (client: Client) => list(client, lists.group)

/** List all hosts, in the order of their ids. */
export const listHosts = (client: Client) => list(client, lists.host)

/** List all islands, in the order of their ids. */
export const listIslands = (client: Client) => list(client, lists.island)

/** List all nodes, in the order of their ids. */
export const listNodes = (client: Client) => list(client, lists.node)

/** List all servers, in the order of their ids. */
export const listServers = (client: Client) => list(client, lists.server)

/** List all slices, in the order of their ids. */
export const listSlices = (client: Client) => list(client, lists.slice)

/** List all users, in the order of their ids. */
export const listUsers = (client: Client) => list(client, lists.user)

async function list<S extends TSchema>(
  client: Client,
  { schema, route }: { readonly schema: S; readonly route: string },
): Promise<readonly Static<S>[]> {
  return inOrder(await client.ask(Type.Array(schema), route))
}

const byNumbers = new Intl.Collator('en', { numeric: true })

/** Sort by ids; that of a sliver is `slice@node`. */
function inOrder<T>(objects: readonly T[]): readonly T[] {
  return objects.toSorted((one, other) => byNumbers.compare(idOf(one), idOf(other)))
}

function idOf(object: unknown): string {
  return typeof object === 'object' && object !== null && 'id' in object ? String(object.id) : ''
}
