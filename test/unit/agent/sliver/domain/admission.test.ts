import { expect, it } from 'vitest'
import {
  findShortage,
  freeNumber,
  type Promises,
} from '../../../../../agent/src/sliver/domain/admission.ts'
import type { Limits } from '../../../../../agent/src/sliver/domain/limits.ts'

const offered = [
  { name: 'memory' as const, total: 200 },
  { name: 'disk' as const, total: 1_000 },
  { name: 'cpu' as const, total: 100 },
  { name: 'processes' as const, total: 1_000 },
]
const among = (...taken: readonly Limits[]): Promises => ({
  offered,
  taken,
  samplesMiB: 17,
  excessTemplatesMiB: 0,
})
const small = { memory: 64, disk: 128, cpu: 100, processes: 128 }

it('finds room while there is some, and names the first resource that lacks and what is left of it', () => {
  expect(findShortage(small, among(small, small))).toBeNull()
  expect(findShortage(small, among(small, small, small))).toEqual({
    resource: 'memory',
    asked: 64,
    free: 8,
  })
})

it('does not count CPU, which slivers share', () => {
  expect(findShortage({ ...small, cpu: 400 }, among(small))).toBeNull()
})

it('tells of nothing left when the owner offers less than was given before', () => {
  expect(findShortage(small, { ...among(small), offered: [] })).toMatchObject({
    resource: 'memory',
    free: 0,
  })
})

it('counts the disk that the samples of each sliver take besides', () => {
  const large = { ...small, memory: 1, disk: 450 }
  expect(findShortage({ ...large, disk: 516 }, among(large))).toBeNull()
  expect(findShortage({ ...large, disk: 517 }, among(large))).toEqual({
    resource: 'disk',
    asked: 517,
    free: 516,
  })
})

it('counts what templates take beyond what the node keeps for them', () => {
  const besides = { ...among(), excessTemplatesMiB: 600 }
  expect(findShortage({ ...small, disk: 383 }, besides)).toBeNull()
  expect(findShortage({ ...small, disk: 384 }, besides)).toMatchObject({ free: 383 })
})

it('takes the lowest number that is free', () => {
  expect(freeNumber(new Set([1, 2, 4]), 125)).toBe(3)
  expect(freeNumber(new Set([1, 2]), 2)).toBeNull()
})
