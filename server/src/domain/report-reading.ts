import {
  InterfaceType,
  Lends,
  NodeReport,
  NodeReportedState,
  ResourceName,
  SliverState,
  type MemberError,
} from '@community-lab/contract'
import { Value } from 'typebox/value'

type JsonObject = Readonly<Record<string, unknown>>

/**
 * Return a node's report as far as this server understands it, so that nodes may be upgraded before their server. Unknown members are left out, and so are
 * resources and interfaces of unknown kinds. An unknown state is replaced by one that promises nothing, and the report says so in its errors. What is wrong
 * stays, for the schema to refuse.
 */
export function readReport(document: unknown): unknown {
  if (!isObject(document)) return document
  const errors: MemberError[] = []
  const unknown = (member: string, found: unknown): void => {
    const message = `this server does not know what the node reports here (${show(found)}); a newer server may`
    errors.push({ member, message })
  }
  const known: JsonObject = {
    ...document,
    state: readState(document['state'], nodeStates, () => {
      unknown('/state', document['state'])
      return 'safe'
    }),
    resources: leaveOut(document['resources'], ({ name }) => isNew(name, resourceNames)),
    slivers: mapList(document['slivers'], (sliver) => readSliver(sliver)),
    ...('lending' in document ? { lending: readLending(document['lending'], unknown) } : {}),
  }
  const told = document['errors']
  const all = Array.isArray(told) ? [...(told as unknown[]), ...errors] : told
  return Value.Clean(NodeReport, errors.length === 0 ? known : { ...known, errors: all })
}

const nodeStates: readonly unknown[] = NodeReportedState.enum
const sliverStates: readonly unknown[] = SliverState.enum
const resourceNames: readonly unknown[] = ResourceName.enum
const interfaceTypes: readonly unknown[] = InterfaceType.enum

function readSliver(sliver: JsonObject): JsonObject {
  const found = sliver['state']
  const told = sliver['errors']
  const errors: MemberError[] = []
  const state = readState(found, sliverStates, () => {
    const message = `this server does not know the state ${show(found)}; a newer server may`
    errors.push({ member: '/state', message })
    return 'unknown'
  })
  return {
    ...sliver,
    state,
    interfaces: leaveOut(sliver['interfaces'], ({ type }) => isNew(type, interfaceTypes)),
    errors: Array.isArray(told) ? [...(told as unknown[]), ...errors] : told,
  }
}

/** Read what the device lends. A limit that this server does not understand is left to the device, which keeps it all the same. */
function readLending(lending: unknown, unknown: (member: string, found: unknown) => void): unknown {
  if (!isObject(lending) || !isObject(lending['device'])) return lending
  const device = Object.entries(lending['device']).map(([member, found]) => {
    const kinds =
      member === 'interfaces' && Array.isArray(found)
        ? found.filter((type) => interfaceTypes.includes(type))
        : found
    const schema = Object.entries(Lends.properties).find(([name]) => name === member)?.[1]
    if (schema === undefined || Value.Check(schema, kinds)) return [member, kinds] as const
    unknown(`/lending/device/${member}`, found)
    return [member, null] as const
  })
  return { ...lending, device: Object.fromEntries(device) }
}

function readState(found: unknown, known: readonly unknown[], otherwise: () => string): unknown {
  return isNew(found, known) ? otherwise() : found
}

/** Tell whether a value of an enumeration is one that only newer agents know. Anything else than a text is a mistake. */
function isNew(found: unknown, known: readonly unknown[]): boolean {
  return typeof found === 'string' && !known.includes(found)
}

/** Leave out the objects of a list of which a rule holds. */
function leaveOut(found: unknown, isLeftOut: (one: JsonObject) => boolean): unknown {
  return Array.isArray(found) ? found.filter((one) => !isObject(one) || !isLeftOut(one)) : found
}

function mapList(found: unknown, change: (one: JsonObject) => JsonObject): unknown {
  return Array.isArray(found)
    ? found.map((one: unknown) => (isObject(one) ? change(one) : one))
    : found
}

function show(found: unknown): string {
  return (JSON.stringify(found) as string | undefined)?.slice(0, 60) ?? 'nothing'
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
