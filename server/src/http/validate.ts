import {
  inputTimePattern,
  LabError,
  namePattern,
  nameRule,
  newLentHoursPattern,
  newLentHoursRule,
  type Issue,
} from '@community-lab/contract'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Schema } from 'fast-json-stringify'
import type { TSchema } from 'typebox'
import { Pointer } from 'typebox/value'
import { serializerOf, validatorOf } from './schema-functions.ts'

const maxIssues = 10

/**
 * Check requests against the contract's TypeBox schemas, without changing them. Fastify writes answers by the same schemas, so a member that a
 * schema does not name never leaves the server.
 */
export function useContractSchemas(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema & FastifySchema>(({ schema }) => {
    const validator = validatorOf(schema)
    return (value: unknown) => {
      if (validator.Check(value)) {
        const unstorable = findUnstorable(value, '')
        return unstorable === null
          ? { value }
          : { error: new LabError('LAB_REQUEST_INVALID', { issues: [unstorable] }) }
      }
      const issues = keepFirst(validator.Errors(value).flatMap((error) => describe(error, value)))
      return { error: new LabError('LAB_REQUEST_INVALID', { issues: issues.slice(0, maxIssues) }) }
    }
  })
  app.setSerializerCompiler<Schema>(({ schema }) => serializerOf(schema))
}

/** Keep the first issue of each place. It says what is wrong; the following ones list alternatives. */
function keepFirst(issues: readonly Issue[]): Issue[] {
  return [...Map.groupBy(issues, ({ pointer }) => pointer).values()].flatMap(([first]) =>
    first === undefined ? [] : [first],
  )
}

/** Find text that PostgreSQL cannot store: with the character NUL, or half of a surrogate pair. */
function findUnstorable(value: unknown, pointer: string): Issue | null {
  if (typeof value === 'string') {
    if (value.isWellFormed() && !value.includes('\0')) return null
    return {
      pointer,
      message: 'must be text without the character NUL and without half characters',
    }
  }
  if (typeof value !== 'object' || value === null) return null
  for (const [name, member] of Object.entries(value)) {
    const found = findUnstorable(name, pointer) ?? findUnstorable(member, `${pointer}/${name}`)
    if (found !== null) return found
  }
  return null
}

interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

function describe(error: SchemaError, body: unknown): Issue[] {
  const { instancePath: pointer, keyword, params } = error
  const named = (message: string) => (name: string) => ({ pointer: `${pointer}/${name}`, message })
  if (keyword === 'additionalProperties' && 'additionalProperties' in params)
    return (params.additionalProperties as string[]).map(named('is not known here'))
  if (keyword === 'required' && 'requiredProperties' in params)
    return (params.requiredProperties as string[]).map(named('is missing'))
  // Errors of `false` schemas and of `anyOf` follow more precise ones.
  if (keyword === 'boolean' || keyword === 'anyOf') return []
  return [{ pointer, message: `${ruleOf(error)}${foundAt(pointer, body)}` }]
}

function ruleOf({ keyword, params, message }: SchemaError): string {
  if (keyword === 'enum' && 'allowedValues' in params)
    return `must be one of ${(params.allowedValues as string[]).join(', ')}`
  if (keyword === 'pattern' && 'pattern' in params) {
    if (params.pattern === namePattern) return `must be ${nameRule}`
    if (params.pattern === newLentHoursPattern) return `must be ${newLentHoursRule}`
    if (params.pattern === inputTimePattern) return 'must be of the years 1970 to 9999'
  }
  if (keyword === 'format' && 'format' in params && params.format === 'date-time')
    return 'must be a time as RFC 3339 has it, such as 2026-05-04T12:00:00Z'
  return message
}

/** Describe what was found, if a few characters are enough. A private key in the place of a public one must not be repeated. */
function foundAt(pointer: string, body: unknown): string {
  const found: unknown = Pointer.Get(body, pointer)
  if (typeof found === 'object' || found === undefined) return ''
  const text = JSON.stringify(found)
  return `, not ${text.length > maxFoundChars ? `${text.slice(0, maxFoundChars)}…` : text}`
}

const maxFoundChars = 36
