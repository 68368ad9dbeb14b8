import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'

/** Say where a value that does not fit a schema first differs from it, and how: `/nodes/0 must be string`. */
export function describeMismatch(schema: TSchema, value: unknown): string {
  if (value === undefined) return 'it is not JSON'
  const [issue] = Value.Errors(schema, value)
  return issue ? `${issue.instancePath || 'it'} ${issue.message}` : 'it has another form'
}
