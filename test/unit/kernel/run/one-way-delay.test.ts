import { expect, it } from 'vitest'
import { oneWayDelay, type ClockStamp } from '../../../../kernel/src/run/one-way-delay.ts'

const stamp = (changes: Partial<ClockStamp>): ClockStamp => ({
  stamp_s: 1_800_000_000,
  clock_offset_s: 0,
  clock_error_s: 0.001,
  clock_step: false,
  ...changes,
})

it('is the difference of the corrected times, and its error is the sum of both', () => {
  // The sender is 40 s behind, the receiver 2 s ahead: 25 ms on the way are 42.025 s by their own clocks.
  const delay = oneWayDelay(
    stamp({ clock_offset_s: 40, clock_error_s: 0.002 }),
    stamp({ stamp_s: 1_800_000_042.025, clock_offset_s: -2 }),
  )
  expect(delay.reason).toBeNull()
  expect(delay.delay_s).toBeCloseTo(0.025, 6)
  expect(delay.error_s).toBeCloseTo(0.003, 9)
  expect([delay.low_s, delay.high_s]).toEqual([expect.closeTo(0.022, 6), expect.closeTo(0.028, 6)])
})

it('says that it means nothing where the error is as large as the delay, and how large the delay may be', () => {
  const delay = oneWayDelay(
    stamp({ clock_error_s: 0.05 }),
    stamp({ stamp_s: 1_800_000_000.005, clock_error_s: 0.01 }),
  )
  expect(delay.reason).toMatch(/known within 0\.060000 s only, and the delay is 0\.005000 s/u)
  expect([delay.low_s, delay.high_s]).toEqual([0, expect.closeTo(0.065, 6)])
})

it.each([
  ['the clock of the sender is not known', stamp({ clock_error_s: null }), stamp({})],
  ['the clock of the receiver is not known', stamp({}), stamp({ clock_offset_s: null })],
  ['the clock of the receiver was set', stamp({}), stamp({ clock_step: true })],
  ['it would have arrived 0.998000 s before', stamp({}), stamp({ stamp_s: 1_799_999_999 })],
])('is refused when %s', (reason, sent, received) => {
  const delay = oneWayDelay(sent, received)
  expect(delay.reason).toContain(reason)
  expect(delay).toMatchObject({ delay_s: null, error_s: null, low_s: null, high_s: null })
})

it.each([
  // Such are live rows, and rows of a query that leaves columns out.
  ['clock_offset_s of the sender is undefined', { stamp_s: 1 }, stamp({})],
  ['clock_error_s of the receiver is undefined', stamp({}), { stamp_s: 1, clock_offset_s: 0 }],
  ['stamp_s of the sender is null', { ...stamp({}), stamp_s: null }, stamp({})],
  ['stamp_s of the receiver is "1"', stamp({}), { ...stamp({}), stamp_s: '1' }],
  ['what was received is undefined', stamp({}), undefined],
])('takes no row of which nothing is known for one of a perfect clock: %s', (says, ...rows) => {
  const [sent, received] = rows as unknown as [ClockStamp, ClockStamp]
  expect(() => oneWayDelay(sent, received)).toThrow(says)
})
