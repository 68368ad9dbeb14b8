import { expect, it } from 'vitest'
import { excerpt, lossesOf } from '../../../../kernel/src/run/losses.ts'

it('quotes a short line, with escapes for characters that cannot be printed', () => {
  expect(excerpt('rtt 12ms\0')).toBe('"rtt 12ms\\u0000"')
})

it('shows no more of a line than a sentence can hold, whatever it contains', () => {
  expect(excerpt('\0'.repeat(512))).toHaveLength(80)
  expect(excerpt('x'.repeat(512))).toMatch(/^"x+…$/u)
})

it('counts no line that was refused before the end of the last run, in the second in which the next one began', () => {
  const at = (ms: number): Date => new Date(1_700_000_000_000 + ms)
  const loss = {
    kind: 'rejected',
    sliver: '1@1',
    lines: 3,
    reason: 'no sample',
    line: 'x',
  } as const
  const part = { sliver: { id: '1@1' }, startedS: 1_700_000_000, follows: at(350) }
  expect(lossesOf([{ ...loss, time: at(300) }], part, null).rejected).toBe(0)
  expect(lossesOf([{ ...loss, time: at(400) }], part, null).rejected).toBe(3)
})
