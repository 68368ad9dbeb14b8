import { expect, it } from 'vitest'
import { findShortage, freeNumber } from '../../../../../agent/src/sliver/domain/admission.ts'

const offered = [
  { name: 'memory' as const, total: 200 },
  { name: 'disk' as const, total: 1_000 },
  { name: 'cpu' as const, total: 100 },
  { name: 'processes' as const, total: 1_000 },
]
const small = { memory: 64, disk: 128, cpu: 100, processes: 128 }

it('finds room while there is some, and names the first resource that lacks and what is left of it', () => {
  expect(findShortage(small, offered, [small, small])).toBeNull()
  expect(findShortage(small, offered, [small, small, small])).toEqual({
    resource: 'memory',
    asked: 64,
    free: 8,
  })
})

it('does not count CPU, which slivers share', () => {
  expect(findShortage({ ...small, cpu: 400 }, offered, [small])).toBeNull()
})

it('tells of nothing left when the owner offers less than was given before', () => {
  expect(findShortage(small, [], [small])).toMatchObject({ resource: 'memory', free: 0 })
})

it('takes the lowest number that is free', () => {
  expect(freeNumber(new Set([1, 2, 4]), 125)).toBe(3)
  expect(freeNumber(new Set([1, 2]), 2)).toBeNull()
})
