import { LabError } from '@community-lab/contract'
import type { TSchema } from 'typebox'

/** A condition on a member of an object. */
export interface Filter {
  /** The path to the member; `_` stands for each member of a list. */
  readonly path: readonly string[]
  /** The values that the member may have. */
  readonly anyOf: readonly unknown[]
}

/** The most values of one filter. */
const maxValues = 1_000

/** Query parameters of every list that are not filters. CONFINE accepts `show`, too, and does nothing with it. */
const pageMembers = ['page', 'per_page', 'show']

/**
 * Read the filters of a list's query. `others` are parameters of the list that are not filters. Filters are JSON pointers with a JSON value, strings in double
 * quotes (`/state="production"`, `/group/id=3`, `/slivers/_/id="1@2"`). Source: CONFINE registry API, filtering. A JSON list stands for any of its values
 * (`/id=[1,2]`).
 *
 * @throws {@link LabError} LAB_REQUEST_UNKNOWN_FILTER for a member that the objects do not have, or a value of another type.
 */
export function readFilters(
  query: Readonly<Record<string, unknown>>,
  schema: TSchema,
  others: readonly string[] = [],
): Filter[] {
  const filters: Filter[] = []
  const otherMembers = new Set([...pageMembers, ...others])
  for (const [name, raw] of Object.entries(query)) {
    if (otherMembers.has(name)) continue
    const path = name.split('/').slice(1)
    const members = name.startsWith('/') ? findSchemas(schema, path) : []
    for (const text of Array.isArray(raw) ? (raw as unknown[]) : [raw]) {
      const anyOf = readValues(String(text))
      if (!anyOf.every((value) => members.some((member) => fits(member, value))))
        throw new LabError('LAB_REQUEST_UNKNOWN_FILTER', {
          filter: `${name}=${String(text)}`.slice(0, 200),
          known: listMembers(schema).map((member) => `/${member}`),
          unknown: members.length === 0 ? 'member' : anyOf.includes(undefined) ? 'value' : 'type',
        })
      filters.push({ path, anyOf })
    }
  }
  return filters
}

/**
 * Write a query in full that a client of CONFINE has sent: the first slash of a member (`name="x"`) and the `_` of a list (`/interfaces/type="public6"`) may be left out,
 * true and false may be 1 and 0, and of a parameter that is given twice the last one counts. Source: CONFINE controller 1.0.2.
 */
export function writeOutFilters(
  query: Readonly<Record<string, unknown>>,
  schema: TSchema,
  others: readonly string[] = [],
): Record<string, unknown> {
  const otherMembers = new Set([...pageMembers, ...others])
  const written = Object.entries(query).map(([name, raw]) => {
    const last: unknown = Array.isArray(raw) ? raw.at(-1) : raw
    if (otherMembers.has(name)) return [name, last] as const
    const path = writeOutPath(schema, name.replace(/^\//u, '').split('/'))
    const isFlag = findSchemas(schema, path).some((member) => fits(member, true))
    return [`/${path.join('/')}`, isFlag ? (flags.get(last) ?? last) : last] as const
  })
  return Object.fromEntries(written)
}

const flags: ReadonlyMap<unknown, string> = new Map([
  ['0', 'false'],
  ['1', 'true'],
])

function writeOutPath(schema: TSchema, path: readonly string[]): string[] {
  const node: SchemaNode = schema
  const [first, ...rest] = path
  if (first === undefined) return node.items === undefined ? [] : ['_']
  const object = node.anyOf?.find((each: SchemaNode) => each.properties !== undefined)
  if (object !== undefined) return writeOutPath(object, path)
  if (node.items !== undefined)
    return ['_', ...writeOutPath(node.items, first === '_' ? rest : path)]
  const member = node.properties?.[first]
  return member === undefined ? [...path] : [first, ...writeOutPath(member, rest)]
}

/** Tell whether an object fulfils every filter. */
export function fulfils(object: unknown, filters: readonly Filter[]): boolean {
  return filters.every(({ path, anyOf }) => {
    const found = valuesAt(object, path)
    return anyOf.some((value) => found.includes(value))
  })
}

function valuesAt(object: unknown, [first, ...rest]: readonly string[]): unknown[] {
  if (first === undefined) return [object]
  if (Array.isArray(object))
    return first === '_' ? object.flatMap((each: unknown) => valuesAt(each, rest)) : []
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, first)) return []
  return valuesAt((object as Record<string, unknown>)[first], rest)
}

interface SchemaNode {
  readonly type?: string
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly patternProperties?: Readonly<Record<string, TSchema>>
  readonly items?: TSchema
  readonly anyOf?: readonly TSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
}

function findSchemas(schema: TSchema, path: readonly string[]): TSchema[] {
  const node: SchemaNode = schema
  if (node.anyOf !== undefined) return node.anyOf.flatMap((each) => findSchemas(each, path))
  const [first, ...rest] = path
  if (first === undefined) return [schema]
  if (node.items !== undefined) return first === '_' ? findSchemas(node.items, rest) : []
  const member = node.properties?.[first]
  if (member !== undefined) return findSchemas(member, rest)
  return Object.values(node.patternProperties ?? {}).flatMap((each) => findSchemas(each, rest))
}

function fits(schema: TSchema, value: unknown): boolean {
  const node: SchemaNode = schema
  if (node.enum !== undefined) return typeof value === 'string'
  if (node.const !== undefined) return node.const === value
  if (value === null) return node.type === 'null'
  if (typeof value === 'number')
    return node.type === 'number' || (node.type === 'integer' && Number.isSafeInteger(value))
  return typeof value === node.type
}

function listMembers(schema: TSchema): string[] {
  const node: SchemaNode = schema
  return Object.keys(node.properties ?? {})
}

/** Read the values of a filter. A list that is empty or too long counts as one value that fits nothing. */
function readValues(text: string): readonly unknown[] {
  const value = parseJson(text)
  if (!Array.isArray(value)) return [value]
  return value.length === 0 || value.length > maxValues ? [undefined] : value
}

/** Parse a JSON value; `undefined`, which fits nothing, when the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    return values.every(isStorable) ? value : undefined
  } catch {
    // The text is not JSON, such as a string without its quotes. It fits nothing, and the refusal shows it.
    return undefined
  }
}

/** Whether the database can have a text. */
function isStorable(value: unknown): boolean {
  return typeof value !== 'string' || (value.isWellFormed() && !value.includes('\0'))
}
