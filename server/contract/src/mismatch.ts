import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'

/** Describe the first place where a value does not match a schema: `/nodes/0 must be string`. */
export function describeMismatch(schema: TSchema, value: unknown): string {
  if (value === undefined) return 'it is not JSON'
  const [issue] = Value.Errors(schema, value)
  return issue ? `${issue.instancePath || 'it'} ${issue.message}` : 'it has another form'
}
