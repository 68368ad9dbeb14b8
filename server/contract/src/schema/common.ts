import Type, { type Static, type TSchema } from 'typebox'
import { nameMaxLength, namePattern } from '../name.ts'

/** A name that people choose (see `name.ts`). */
export const Name = Type.String({
  pattern: namePattern,
  minLength: 1,
  maxLength: nameMaxLength,
  description: 'letters, digits, dot, hyphen, underscore; one line',
})

/** A free text of one or more lines. */
export const Description = Type.String({ maxLength: 4096 })

/** A point in time: RFC 3339, UTC. */
export const Time = Type.String({ format: 'date-time' })

/** The years of times in requests, which every part can store. */
export const inputTimePattern = '^(19[7-9]|[2-9][0-9]{2})[0-9]-'

/** A point in time in a request: years 1970 to 9999. */
export const InputTime = Type.String({
  format: 'date-time',
  maxLength: 40,
  pattern: inputTimePattern,
  description: 'RFC 3339, of the years 1970 to 9999',
})

/** The id of an object, within the range of a database's integer. */
export const Id = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })

/** A counter, within the range of a database's integer. */
export const Counter = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })

/** 64 lower-case hexadecimal digits. */
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })

/** A reference to an object: its id and its URI. */
export const Ref = Type.Object({ uri: Type.String(), id: Type.Integer() })
export type Ref = Static<typeof Ref>

/** A sliver's reference; its id is `slice@node`. */
export const SliverRef = Type.Object({ uri: Type.String(), id: Type.String() })
export type SliverRef = Static<typeof SliverRef>

/** Free-form properties. A name has 2 to 64 characters. Source: CONFINE, name pattern `^[a-z][_0-9a-z]*[0-9a-z]$`. */
export const Properties = Type.Record(
  Type.String({ pattern: '^[a-z][_0-9a-z]{0,62}[0-9a-z]$' }),
  Type.String({ maxLength: 1024 }),
  // Without it, names that do not match the pattern would be accepted, with any value.
  { maxProperties: 100, additionalProperties: false },
)
export type Properties = Static<typeof Properties>

/** Something wrong with a member of an object. */
export const MemberError = Type.Object({
  member: Type.String({
    maxLength: 256,
    description: 'JSON pointer to the member at fault; empty: the whole object',
  }),
  message: Type.String({ maxLength: 4096 }),
  code: Type.Optional(
    Type.String({ maxLength: 64, description: 'the error code, where the server acts on it' }),
  ),
})
export type MemberError = Static<typeof MemberError>

/** The resources of a node. Units: memory and disk MiB, cpu percent of one core, processes a count. */
export const resourceNames = ['memory', 'disk', 'cpu', 'processes'] as const
export const ResourceName = Type.Enum(resourceNames)
export type ResourceName = Static<typeof ResourceName>

/** The unit of each resource. */
export const resourceUnits: Readonly<Record<ResourceName, string>> = {
  memory: 'MiB',
  disk: 'MiB',
  cpu: '%',
  processes: 'processes',
}

/** The resources of a sliver that requests none. They are small, because volunteers' devices are. */
export const resourceDefaults: Readonly<Record<ResourceName, number>> = {
  memory: 64,
  disk: 128,
  cpu: 100,
  processes: 128,
}

/** A request for a resource. */
export const ResourceRequest = Type.Object(
  {
    name: ResourceName,
    // Far more than any node has. The node's own limit gives a more helpful error.
    req: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
    unit: Type.Optional(Type.String({ maxLength: 32 })),
  },
  { additionalProperties: false },
)
export type ResourceRequest = Static<typeof ResourceRequest>

/** A schema or null. */
export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()])
}
