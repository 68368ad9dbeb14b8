import { expect, it } from 'vitest'
import { parseIndex } from '../../../../../agent/src/measurement/domain/catcher-index.ts'

const entry = (end: number, timeUs: number): string =>
  `${String(end).padStart(16, '0')} ${String(timeUs).padStart(16, '0')}\n`

it('reads entries of fixed width', () => {
  expect(parseIndex(entry(10, 1_764_000_000_000_000) + entry(25, 1_764_000_000_000_500))).toEqual([
    { end: 10, timeUs: 1_764_000_000_000_000 },
    { end: 25, timeUs: 1_764_000_000_000_500 },
  ])
})

it('leaves a torn entry for later, and ends at a damaged one', () => {
  expect(parseIndex(entry(10, 1) + entry(20, 2).slice(0, 20))).toEqual([{ end: 10, timeUs: 1 }])
  expect(parseIndex(entry(10, 1) + '\0'.repeat(34) + entry(20, 2))).toHaveLength(1)
})
