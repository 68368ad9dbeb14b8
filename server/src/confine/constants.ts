import type { TSchema } from 'typebox'

/** What is the same in all documents of a kind. A list is empty, or has one object, which stands for every object of a list. */
interface Constants {
  readonly [member: string]: null | false | Constants | readonly Constants[]
}

/**
 * Members that CONFINE's documents have, and that have one value here, because what they tell of does not exist here: a client that reads them finds what it
 * would find in a testbed without it. Only CONFINE's clients get them. By the `$id` of the schema.
 */
const constants: Readonly<Record<string, Constants>> = {
  Base: { testbed_resources: [] },
  // Not `api`: in confine-orm it would take the place of its connection, and nothing more could be asked of the node.
  Node: { direct_ifaces: [], cert: null, tinc: { addresses: [] } },
  Server: { api: [{ island: null }], tinc: { addresses: [{ island: null }] } },
  Host: { tinc: { addresses: [] } },
  Slice: { allow_isolated: false, isolated_vlan_tag: null, resources: [] },
  Sliver: { interfaces: [{ parent_name: null }] },
  User: { last_login: null },
}

interface SchemaNode {
  readonly $id?: string
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly items?: TSchema
}

/** A schema of answers whose documents may have constants, and the function that adds them. */
export interface WithConstants {
  readonly schema: TSchema
  readonly add: (document: unknown) => unknown
}

/** Prepare the constants of an answer: a document, or a list of documents. Returns null when it has none. */
export function prepareConstants(schema: TSchema): WithConstants | null {
  const { items, $id = '' }: SchemaNode = schema
  if (items !== undefined) {
    const each = prepareConstants(items)
    if (each === null) return null
    return {
      schema: { ...schema, items: each.schema },
      add: (list) => (Array.isArray(list) ? list.map(each.add) : list),
    }
  }
  const own = constants[$id]
  return own === undefined
    ? null
    : { schema: allow(schema, own), add: (document) => merge(document, own) }
}

/** Return a schema that allows constants besides its own members. It has no id, because it is another one. */
function allow(schema: TSchema, own: Constants): TSchema {
  const { $id: _, ...rest }: SchemaNode & TSchema = schema
  const properties = Object.entries(own).map(([name, value]) => {
    const present = rest.properties?.[name]
    return [name, present === undefined ? schemaOf(value) : allowBelow(present, value)] as const
  })
  return { ...rest, properties: { ...rest.properties, ...Object.fromEntries(properties) } }
}

function allowBelow(schema: TSchema, value: Constants[string]): TSchema {
  const { items }: SchemaNode = schema
  if (isList(value)) {
    const [each] = value
    return each === undefined || items === undefined
      ? schema
      : { ...schema, items: allow(items, each) }
  }
  return value === null || value === false ? schema : allow(schema, value)
}

function schemaOf(value: Constants[string]): TSchema {
  const description = 'only for clients of CONFINE’s API, and always this value'
  if (value === null) return { type: 'null', description }
  if (value === false) return { type: 'boolean', const: false, description }
  return { type: 'array', items: { type: 'null' }, maxItems: 0, description }
}

function merge(document: unknown, own: Constants): unknown {
  if (typeof document !== 'object' || document === null) return document
  const merged: Record<string, unknown> = { ...document }
  for (const [name, value] of Object.entries(own)) merged[name] = mergeMember(merged[name], value)
  return merged
}

function mergeMember(present: unknown, value: Constants[string]): unknown {
  if (isList(value)) {
    const [each] = value
    return each !== undefined && Array.isArray(present)
      ? present.map((one: unknown) => merge(one, each))
      : value
  }
  return value === null || value === false ? value : merge(present, value)
}

function isList(value: Constants[string]): value is readonly Constants[] {
  return Array.isArray(value)
}
