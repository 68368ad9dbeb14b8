import Type from 'typebox'
import { expect, it } from 'vitest'
import { serializerOf, validatorOf } from '../../../../server/src/http/schema-functions.ts'

const Place = Type.Object({ name: Type.String(), at: Type.Array(Type.Number()) })

it('writes what the schema names, and nothing else', () => {
  const write = serializerOf(Place)
  expect(write({ name: 'n1', at: [1, 2.5], secret: 'x' })).toBe('{"name":"n1","at":[1,2.5]}')
})

it('compiles what writes once for all schemas that say the same', () => {
  expect(serializerOf(Type.Array(Place))).toBe(serializerOf(Type.Array(Place)))
  expect(serializerOf(Type.Array(Place))).not.toBe(serializerOf(Place))
})

it('compiles what checks once for each schema', () => {
  expect(validatorOf(Place)).toBe(validatorOf(Place))
  expect(validatorOf(Place).Check({ name: 'n1', at: [] })).toBe(true)
  expect(validatorOf(Place).Check({ name: 1, at: [] })).toBe(false)
})
