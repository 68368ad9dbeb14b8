import { LabError, type Issue } from '@community-lab/contract'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

const maxIssues = 10

/** Check requests by the contract's TypeBox schemas, without changing them; answers are what the handlers made, typed by the same schemas. */
export function useContractSchemas(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema & FastifySchema>(({ schema }) => {
    const validator = Compile(schema)
    return (value: unknown) => {
      if (validator.Check(value)) return { value }
      const issues = validator.Errors(value).flatMap(describe)
      return { error: new LabError('LAB_REQUEST_INVALID', { issues: issues.slice(0, maxIssues) }) }
    }
  })
  app.setSerializerCompiler(() => JSON.stringify)
}

function describe(error: {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}): Issue[] {
  const { instancePath: pointer, keyword, params } = error
  const named = (message: string) => (name: string) => ({ pointer: `${pointer}/${name}`, message })
  if (keyword === 'additionalProperties' && 'additionalProperties' in params)
    return (params.additionalProperties as string[]).map(named('is not known here'))
  if (keyword === 'required' && 'requiredProperties' in params)
    return (params.requiredProperties as string[]).map(named('is missing'))
  if (keyword === 'enum' && 'allowedValues' in params)
    return [{ pointer, message: `must be one of ${(params.allowedValues as string[]).join(', ')}` }]
  // What stands for a schema that nothing may match follows the one that tells why.
  if (keyword === 'boolean') return []
  return [{ pointer, message: error.message }]
}
