import {
  Arch,
  defaultSliverMacPrefix,
  describeMismatch,
  NodeTarget,
  parseSliverId,
  ResourceRequest,
  SliverInterface,
  SliverTarget,
  type MemberError,
} from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'

/** What is wanted of this node, as far as this agent understands it: the server may be newer, and know more kinds of things. */
export interface NodeWanted {
  readonly node: NodeTarget['node']
  /** What the MAC addresses of slivers begin with, 16 bits. */
  readonly sliverMacPrefix: number
  readonly slivers: readonly SliverTarget[]
  readonly notices: readonly Notice[]
}

/** Something in the target that this agent does not understand. */
export interface Notice {
  /** The sliver that it concerns. */
  readonly sliver: string
  readonly error: MemberError
  /** `ignored`: the sliver is made without it. `held`: what is wanted of the sliver is unclear, so that the sliver stays as it is. */
  readonly effect: 'ignored' | 'held'
}

type JsonObject = Readonly<Record<string, unknown>>

const Wanted = Type.Object({
  node: NodeTarget.properties.node,
  testbed: Type.Optional(
    Type.Object({ sliver_mac_prefix: Type.Integer({ minimum: 0, maximum: 0xffff }) }),
  ),
  slivers: Type.Array(Type.Unknown()),
})
const interfaceTypes: readonly unknown[] = SliverInterface.properties.type.enum
const archs: readonly unknown[] = Arch.enum
const resourceNames: readonly unknown[] = ResourceRequest.properties.name.enum
/** A key is one line of a file. */
const key = /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u

/** Read a target document. Unknown members are ignored; unknown kinds and values concern their sliver alone. Returns the reason when none of it can be used. */
export function readWanted(document: unknown): NodeWanted | string {
  if (!Value.Check(Wanted, document)) return describeMismatch(Wanted, document)
  const slivers: SliverTarget[] = []
  const notices: Notice[] = []
  for (const one of document.slivers) {
    const id = isObject(one) ? one['id'] : null
    // Without an id there is no sliver that it could concern. An id becomes a path, so nothing else is taken for one.
    if (!isObject(one) || typeof id !== 'string' || parseSliverId(id) === null) continue
    const read = readSliver(one, id)
    notices.push(...read.notices)
    if (read.target !== null) slivers.push(read.target)
  }
  const sliverMacPrefix = document.testbed?.sliver_mac_prefix ?? defaultSliverMacPrefix
  return { node: document.node, sliverMacPrefix, slivers, notices }
}

/** The slivers of which nothing may be changed, for it is unclear what is wanted of them. */
export function heldSlivers({ notices }: NodeWanted): ReadonlySet<string> {
  return new Set(notices.filter(({ effect }) => effect === 'held').map(({ sliver }) => sliver))
}

function readSliver(
  found: JsonObject,
  id: string,
): { readonly target: SliverTarget | null; readonly notices: readonly Notice[] } {
  const notices: Notice[] = []
  const ignore = (member: string, what: string): readonly [] => {
    const message = `${what}; the sliver is made without. A newer agent may know more`
    notices.push({ sliver: id, error: { member, message }, effect: 'ignored' })
    return []
  }
  const target = {
    ...found,
    template: readTemplate(found['template']),
    resources: mapList(found['resources'], (one, index) => {
      if (!isObject(one)) return [one]
      if (resourceNames.includes(one['name'])) return [pick(one, ['name', 'req', 'unit'])]
      return ignore(`/resources/${index}`, `this agent knows no resource ${show(one['name'])}`)
    }),
    interfaces: mapList(found['interfaces'], (one, index) => {
      if (!isObject(one) || interfaceTypes.includes(one['type'])) return [one]
      const what = `this agent knows no interface of type ${show(one['type'])}`
      return ignore(`/interfaces/${index}`, what)
    }),
    ssh_authorized_keys: mapList(found['ssh_authorized_keys'], (one, index) => {
      if (typeof one !== 'string' || key.test(one.trim())) return [one]
      return ignore(`/ssh_authorized_keys/${index}`, 'it is not a key, for it has more than a line')
    }),
  }
  if (Value.Check(SliverTarget, target)) return { target, notices }
  const message = `this agent does not understand what is wanted of the sliver (${describeMismatch(SliverTarget, target)}), and leaves it as it is. A newer agent may understand it`
  const held = { sliver: id, error: { member: '', message }, effect: 'held' } as const
  return { target: null, notices: [held] }
}

/** Architectures that this agent does not know are not its own. */
function readTemplate(found: unknown): unknown {
  if (!isObject(found)) return found
  const node_archs = mapList(found['node_archs'], (one) => (archs.includes(one) ? [one] : []))
  return { ...found, node_archs }
}

/** Change a list; what is no list is left for the schema to refuse. */
function mapList(
  found: unknown,
  change: (one: unknown, index: number) => readonly unknown[],
): unknown {
  return Array.isArray(found) ? found.flatMap((one: unknown, index) => change(one, index)) : found
}

function pick(found: JsonObject, members: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(found).filter(([name]) => members.includes(name)))
}

function show(value: unknown): string {
  return (JSON.stringify(value) as string | undefined)?.slice(0, 60) ?? 'without a name'
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
