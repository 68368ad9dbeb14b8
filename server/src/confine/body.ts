import { LabError } from '@community-lab/contract'
import type { TSchema } from 'typebox'

/** Return a body in the form of the route's schema. */
export type ReadBody = (body: unknown) => unknown

/** The lists that references lead to, of members that do not have the name of what they refer to. */
const kindsOf: Readonly<Record<string, string>> = { owner: 'users' }

type ReadMember = (value: unknown, pointer: string) => unknown

interface SchemaNode {
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly patternProperties?: Readonly<Record<string, TSchema>>
  readonly additionalProperties?: unknown
  readonly items?: TSchema
  readonly anyOf?: readonly TSchema[]
}

/**
 * Prepare the reading of bodies that CONFINE's clients send. Members that the schema does not name are left out, because these clients send whole objects
 * back, with members that cannot be changed. References are `{"uri": …}`, of which only the path counts. Properties may be `[]`, `""` or null, which is none.
 */
export function prepareBody(schema: TSchema): ReadBody {
  const read = readerOf(schema, '')
  return (body) => read(body === undefined || body === '' ? {} : body, '')
}

function readerOf(schema: TSchema, name: string): ReadMember {
  const node: SchemaNode = schema
  if (node.anyOf !== undefined) {
    const [first] = node.anyOf.filter((each) => !('type' in each && each.type === 'null'))
    if (first === undefined) return (value) => value
    const read = readerOf(first, name)
    return (value, pointer) => (value === null ? null : read(value, pointer))
  }
  if (node.items !== undefined) {
    const read = readerOf(node.items, name)
    return (value, pointer) =>
      Array.isArray(value)
        ? value.map((each: unknown, index) => read(each, `${pointer}/${index}`))
        : value
  }
  if (node.patternProperties !== undefined) return (value) => (isNone(value) ? {} : value)
  if (node.properties === undefined) return (value) => value
  if (Object.keys(node.properties).join() === 'id')
    return (value, pointer) => readReference(value, { kind: kindsOf[name] ?? `${name}s`, pointer })
  return readObject(node)
}

function readObject({ properties = {}, additionalProperties }: SchemaNode): ReadMember {
  const readers = Object.entries(properties).map(
    ([member, below]) => [member, readerOf(below, member)] as const,
  )
  return (value, pointer) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const given = value as Readonly<Record<string, unknown>>
    const known: Record<string, unknown> = additionalProperties === false ? {} : { ...given }
    for (const [member, read] of readers)
      if (Object.hasOwn(given, member)) known[member] = read(given[member], `${pointer}/${member}`)
    return known
  }
}

function isNone(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

/** Read a reference: `{"uri": …}`, where only the path counts, or `{"id": N}`. @throws {@link LabError} LAB_REQUEST_INVALID. */
function readReference(
  value: unknown,
  { kind, pointer }: { readonly kind: string; readonly pointer: string },
): unknown {
  if (typeof value === 'string') throw refuse(pointer, `${value.slice(0, 200)} is not an object`)
  if (typeof value !== 'object' || value === null || !('uri' in value)) return value
  const { uri } = value
  if (typeof uri !== 'string')
    throw refuse(pointer, 'Incorrect type.  Expected url string, received another type.')
  const found = /\/(\w+)\/0*([1-9]\d{0,8})\/?$/u.exec(uri)
  if (found === null) throw refuse(pointer, 'Invalid hyperlink - No URL match')
  if (found[1] !== kind) throw refuse(pointer, 'Invalid hyperlink - Incorrect URL match')
  return { id: Number(found[2]) }
}

function refuse(pointer: string, message: string): LabError {
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer, message }] })
}
