import fastJsonStringify, { type Schema } from 'fast-json-stringify'
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'

// Both kinds of functions depend on the schema alone. Routes of one resource share its schema, and so do the applications of one process.
const validators = new WeakMap<TSchema, Validator>()
const serializers = new Map<string, Serialize>()

/** Write a value as JSON: the members that the schema names, and no others. */
export type Serialize = (value: unknown) => string

/** Return the function that checks a value against this schema. It is compiled once. */
export function validatorOf(schema: TSchema): Validator {
  const known = validators.get(schema)
  if (known !== undefined) return known
  const made = Compile(schema)
  validators.set(schema, made)
  return made
}

/** Return the function that writes a value by this schema. It is compiled once for all schemas that say the same. */
export function serializerOf(schema: Schema): Serialize {
  const text = JSON.stringify(schema)
  const known = serializers.get(text)
  if (known !== undefined) return known
  const made = fastJsonStringify(schema)
  serializers.set(text, made)
  return made
}
