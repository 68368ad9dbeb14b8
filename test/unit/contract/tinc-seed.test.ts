import { expect, it } from 'vitest'
import { tincdSeedDelayMs } from '@community-lab/contract'

it('waits for the next second when a tincd was started in this one', () => {
  expect(tincdSeedDelayMs(12_000, 12_300)).toBe(700)
  expect(tincdSeedDelayMs(12_999.9, 12_000)).toBe(1_000)
})

it('does not wait when the last start was in another second, earlier or later', () => {
  expect(tincdSeedDelayMs(0, 12_300)).toBe(0)
  expect(tincdSeedDelayMs(11_999, 12_000)).toBe(0)
  expect(tincdSeedDelayMs(13_000, 12_999)).toBe(0)
})
