import { describeMismatch, Problem } from '@community-lab/contract'
import Type from 'typebox'
import { expect, it } from 'vitest'

const schema = Type.Object({ nodes: Type.Array(Type.String()) })

it('names the member that differs, and how', () => {
  expect(describeMismatch(schema, { nodes: [1] })).toBe('/nodes/0 must be string')
})

it('speaks of the whole where that has another form', () => {
  expect(describeMismatch(schema, 'text')).toBe('it must be object')
  expect(describeMismatch(Problem, {})).toMatch(/^it must have required properties/u)
})

it('says that what could not be parsed is not JSON', () => {
  expect(describeMismatch(schema, undefined)).toBe('it is not JSON')
})
