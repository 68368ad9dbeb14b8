import { askedDelayMs, LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'

it('keeps away for as long as it is asked to, and up to a tenth more', () => {
  const busy = new LabError('LAB_SERVER_BUSY', { retryAfterS: 20 })
  const limited = new LabError('LAB_REQUEST_RATE_LIMITED', { retryAfterS: 3 })
  expect([askedDelayMs(busy, 0), askedDelayMs(busy, 0.5)]).toEqual([20_000, 21_000])
  expect(askedDelayMs(limited, 0)).toBe(3_000)
})

it.each([new Error('x'), new LabError('LAB_SERVER_UNAVAILABLE', { what: 'x' }), null])(
  'is not kept away by %s',
  (error) => expect(askedDelayMs(error)).toBe(0),
)

it('asks nobody to wait longer than a timer can, nor for what is no number', () => {
  const busy = (retryAfterS: number): number =>
    askedDelayMs(new LabError('LAB_SERVER_BUSY', { retryAfterS }), 0)
  expect(busy(1e9)).toBe(3_600_000)
  expect(busy(Number.NaN)).toBe(0)
  expect(busy(-1)).toBe(0)
})
