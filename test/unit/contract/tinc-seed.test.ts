import { expect, it } from 'vitest'
import { tincdSeedDelayMs } from '@community-lab/contract'

it('waits until well into the next second when a tincd was started in this one', () => {
  expect(tincdSeedDelayMs(12_000, 12_300)).toBe(750)
  expect(tincdSeedDelayMs(12_999.9, 12_000)).toBe(1_050)
  expect(tincdSeedDelayMs(12_500, 13_001)).toBe(49)
})

it('does not wait when the last start was in another second, earlier or later', () => {
  expect(tincdSeedDelayMs(0, 12_300)).toBe(0)
  expect(tincdSeedDelayMs(11_999, 12_050)).toBe(0)
  expect(tincdSeedDelayMs(13_000, 12_999)).toBe(0)
})
