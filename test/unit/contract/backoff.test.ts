import { expect, it } from 'vitest'
import { backoffMs } from '@community-lab/contract'

const backoff = { firstMs: 200, longestMs: 10_000 }

it('doubles with each failure in a row, up to the longest delay', () => {
  const delays = [1, 2, 3, 6, 7, 5_000].map((failures) => backoffMs(backoff, failures))
  expect(delays).toEqual([200, 400, 800, 6_400, 10_000, 10_000])
})

it('takes no failure for the first one', () => {
  expect(backoffMs(backoff, 0)).toBe(200)
})

it('leaves out at most the share that is left to chance', () => {
  const shared = { ...backoff, jitter: 0.5 }
  expect([0, 0.5, 1].map((random) => backoffMs(shared, 2, random))).toEqual([400, 300, 200])
  expect(backoffMs(shared, 1)).toBeGreaterThan(100)
})
