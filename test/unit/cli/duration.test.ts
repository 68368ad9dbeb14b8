import { expect, it } from 'vitest'
import { formatAgo, formatDuration } from '../../../server/cli/src/output/duration.ts'

it.each([
  [40, '0.0 s'],
  [9_940, '9.9 s'],
  [9_950, '10 s'],
  [59_499, '59 s'],
  [61_000, '1 min 1 s'],
  [3_599_400, '59 min 59 s'],
  [2 * 3_600_000 + 90_000, '2 h 2 min'],
  [7 * 86_400_000 + 5 * 3_600_000, '7 d 5 h'],
])('writes %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

const now = Date.parse('2026-01-02T12:00:00Z')

it.each([
  [null, '-'],
  ['2026-01-02T11:59:48Z', '12 s ago'],
  ['2026-01-02T11:50:00Z', '10 min ago'],
  ['2026-01-02T02:00:00Z', '10 h ago'],
  ['2025-12-28T12:00:00Z', '5 d ago'],
  // A server whose clock is ahead.
  ['2026-01-02T12:00:30Z', '0 s ago'],
])('says of %s that it was %s', (time, text) => {
  expect(formatAgo(time, now)).toBe(text)
})
