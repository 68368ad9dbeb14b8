import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'

/** What a schema says beyond the form of a value; a newer writer may allow more. */
const bounds = new Set([
  ...['minLength', 'maxLength', 'pattern', 'format', 'minimum', 'maximum', 'multipleOf'],
  ...['minItems', 'maxItems', 'uniqueItems', 'additionalProperties', '$id'],
])

const known = new WeakMap<TSchema, TSchema>()

/**
 * Tell whether a document that a newer program may have written has the form of a schema: every member that the schema requires is there with its type. Members
 * that the schema does not know, values of an enumeration that it does not list, and longer texts and lists are let pass. So a value of an enumeration may be any text,
 * whatever its type says: code that tells values apart needs an answer for others.
 */
export function isReadable<S extends TSchema>(schema: S, document: unknown): document is Static<S> {
  return Value.Check(tolerant(schema), document)
}

/** The schema that {@link isReadable} checks by, for whoever tells where a document fails. */
export function tolerant(schema: TSchema): TSchema {
  const made = known.get(schema)
  if (made !== undefined) return made
  const loose = loosen(schema) as TSchema
  known.set(schema, loose)
  return loose
}

function loosen(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(loosen)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('enum' in schema && Array.isArray(schema.enum))
    return schema.enum.every((value) => typeof value === 'string') ? { type: 'string' } : {}
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) => {
      if (key === 'properties' || key === 'patternProperties')
        return [[key, loosenEach(value as Record<string, unknown>)]]
      return bounds.has(key) ? [] : [[key, key === 'required' ? value : loosen(value)]]
    }),
  )
}

/** Members may have the names of bounds. */
function loosenEach(schemas: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, loosen(schema)]))
}
