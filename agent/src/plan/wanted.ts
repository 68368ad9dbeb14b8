import {
  Arch,
  defaultSliverMacPrefix,
  describeMismatch,
  Lends,
  lendsAll,
  NodeTarget,
  parseSliverId,
  ResourceRequest,
  RunTarget,
  SliverInterface,
  SliverTarget,
  type MemberError,
} from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'

/** The target of this node, as far as this agent understands it: a newer server may use kinds of things that it does not know. */
export interface NodeWanted {
  readonly node: Omit<NodeTarget['node'], 'lends' | 'arch'>
  /** The node's architecture in the registry; null: the server does not say. */
  readonly arch: string | null
  /** The testbed's management prefix; null: the server does not say. */
  readonly mgmtPrefix: string | null
  /** The limits that the registry has for all slivers of the node together. */
  readonly lends: Lends
  /** The first 16 bits of slivers' MAC addresses. */
  readonly sliverMacPrefix: number
  readonly slivers: readonly SliverTarget[]
  /** The runs of its slivers that have not ended; null: the server knows of no runs. */
  readonly runs: readonly RunTarget[] | null
  readonly notices: readonly Notice[]
  /** What this agent does not understand of the node itself. */
  readonly nodeNotices: readonly MemberError[]
}

/** A part of the target that this agent does not understand. */
export interface Notice {
  /** The id of the sliver that it belongs to. */
  readonly sliver: string
  readonly error: MemberError
  /** `ignored`: the sliver is made without that part. `held`: the target of the sliver is unclear, so the sliver stays as it is. */
  readonly effect: 'ignored' | 'held'
}

type JsonObject = Readonly<Record<string, unknown>>

const Wanted = Type.Object({
  // A newer server may have limits and architectures that this agent does not know, so they are read by themselves.
  node: Type.Object({
    ...Type.Omit(NodeTarget.properties.node, ['lends', 'arch']).properties,
    arch: Type.Optional(Type.String()),
  }),
  testbed: Type.Optional(
    Type.Object({
      sliver_mac_prefix: Type.Integer({ minimum: 0, maximum: 0xffff }),
      mgmt_ipv6_prefix: Type.Optional(Type.String()),
    }),
  ),
  slivers: Type.Array(Type.Unknown()),
  runs: Type.Optional(Type.Array(Type.Unknown())),
})
const interfaceTypes: readonly unknown[] = SliverInterface.properties.type.enum
const archs: readonly unknown[] = Arch.enum
const resourceNames: readonly unknown[] = ResourceRequest.properties.name.enum
/** A key is one line of a file, so it contains no control characters and no line separators. */
const key = /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u

/**
 * Read a target document. Unknown members are ignored; unknown kinds and values concern only their sliver. Returns the reason when the document cannot be used
 * at all.
 */
export function readWanted(document: unknown): NodeWanted | string {
  if (!Value.Check(Wanted, document)) return describeMismatch(Wanted, document)
  const slivers: SliverTarget[] = []
  const notices: Notice[] = []
  for (const one of document.slivers) {
    const id = isObject(one) ? one['id'] : null
    // Without a valid id there is no sliver to report it for. Nothing else is accepted as an id, because an id becomes a path.
    if (!isObject(one) || typeof id !== 'string' || parseSliverId(id) === null) continue
    const read = readSliver(one, id)
    notices.push(...read.notices)
    if (read.target !== null) slivers.push(read.target)
  }
  const sliverMacPrefix = document.testbed?.sliver_mac_prefix ?? defaultSliverMacPrefix
  const { lends, unknown } = readLends(document.node)
  const { arch = null, ...node } = document.node
  const mgmtPrefix = document.testbed?.mgmt_ipv6_prefix ?? null
  const about = { node, arch, mgmtPrefix, lends, sliverMacPrefix }
  const runs = document.runs?.flatMap(readRun) ?? null
  return { ...about, slivers, runs, notices, nodeNotices: unknown }
}

/** Read a run. One that this agent does not understand is not started. */
function readRun(found: unknown): readonly RunTarget[] {
  return Value.Check(RunTarget, found) && parseSliverId(found.sliver) !== null ? [found] : []
}

/** Read the limits of the registry, each by itself. One that this agent does not understand has an error, and does not hold. */
function readLends(node: object): {
  readonly lends: Lends
  readonly unknown: readonly MemberError[]
} {
  const found = 'lends' in node && isObject(node.lends) ? node.lends : {}
  const unknown: MemberError[] = []
  const read = Object.entries(found).flatMap(([member, value]) => {
    const known = member === 'interfaces' ? mapList(value, knownInterface) : value
    if (
      member in Lends.properties &&
      Value.Check(Type.Pick(Lends, [member as keyof Lends]), { [member]: known })
    )
      return [[member, known] as const]
    const message = `this agent does not understand what its owner has set in the registry (${show(value)}), so it does not hold. A newer agent may understand it`
    unknown.push({ member: `/lends/${member}`, message })
    return []
  })
  return { lends: { ...lendsAll, ...Object.fromEntries(read) }, unknown }
}

/** Drop the kinds of interfaces that this agent does not know: it makes none of them. */
function knownInterface(one: unknown): readonly unknown[] {
  return interfaceTypes.includes(one) ? [one] : []
}

/** Return the slivers that must not be changed because their target is unclear. */
export function heldSlivers({ notices }: NodeWanted): ReadonlySet<string> {
  return new Set(notices.filter(({ effect }) => effect === 'held').map(({ sliver }) => sliver))
}

/** Read the target of a sliver; null when this agent does not understand it. */
export function readSliver(
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

/** Drop the architectures that this agent does not know, because they are not its own. */
function readTemplate(found: unknown): unknown {
  if (!isObject(found)) return found
  const node_archs = mapList(found['node_archs'], (one) => (archs.includes(one) ? [one] : []))
  return { ...found, node_archs }
}

/** Change a list. Any other value stays for the schema to refuse. */
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
