import { expect, it } from 'vitest'
import { excerpt } from '../../../../kernel/src/run/losses.ts'

it('quotes a short line, with escapes for characters that cannot be printed', () => {
  expect(excerpt('rtt 12ms\0')).toBe('"rtt 12ms\\u0000"')
})

it('shows no more of a line than a sentence can hold, whatever it contains', () => {
  expect(excerpt('\0'.repeat(512))).toHaveLength(80)
  expect(excerpt('x'.repeat(512))).toMatch(/^"x+…$/u)
})
