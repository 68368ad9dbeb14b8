import { expect, it } from 'vitest'
import { backoffMs } from '../../../../../agent/src/measurement/domain/backoff.ts'

it('doubles from 0.2 s to 10 s', () => {
  expect([1, 2, 3, 6, 7, 50].map((failures) => backoffMs(failures, 1))).toEqual([
    200, 400, 800, 6400, 10_000, 10_000,
  ])
})

it('leaves out a random half, but never waits less than 0.2 s', () => {
  expect([1, 2, 50].map((failures) => backoffMs(failures, 0))).toEqual([200, 200, 5000])
})
