import Type from 'typebox'
import { expect, it } from 'vitest'
import { isReadable, Node, nullable, Sliver } from '@community-lab/contract'

const Thing = Type.Object({
  state: Type.Enum(['on', 'off'] as const),
  pattern: nullable(Type.String({ maxLength: 3 })),
  sizes: Type.Array(Type.Integer({ maximum: 9 }), { maxItems: 1 }),
  spare: Type.Optional(Type.Object({ a: Type.Boolean() }, { additionalProperties: false })),
})

const thing = { state: 'on', pattern: null, sizes: [] }

it.each([
  ['an unknown value of an enumeration', { state: 'resting' }],
  ['an unknown member', { colour: 'red' }],
  ['an unknown member of a closed object', { spare: { a: true, b: 1 } }],
  ['a longer text', { pattern: 'abcdef' }],
  ['more and larger numbers', { sizes: [100, 200] }],
])('reads %s', (_what, change) => {
  expect(isReadable(Thing, { ...thing, ...change })).toBe(true)
})

it.each([
  ['a member of another type', { sizes: 'many' }],
  ['a value of an enumeration that is no text', { state: 1 }],
  ['a text for a number', { sizes: ['1'] }],
])('does not read %s', (_what, change) => {
  expect(isReadable(Thing, { ...thing, ...change })).toBe(false)
})

it('does not read what lacks a member', () => {
  expect(isReadable(Thing, { state: 'on', sizes: [] })).toBe(false)
})

it('reads no object as another', () => {
  expect(isReadable(Node, thing) || isReadable(Sliver, thing)).toBe(false)
})
