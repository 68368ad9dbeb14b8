import { expect, it } from 'vitest'
import { excerpt } from '../../../../kernel/src/run/losses.ts'

it('shows a short line in quotes, with what cannot be printed in a form that can', () => {
  expect(excerpt('rtt 12ms\0')).toBe('"rtt 12ms\\u0000"')
})

it('shows no more of a line than fits into a sentence, whatever is in it', () => {
  expect(excerpt('\0'.repeat(512))).toHaveLength(80)
  expect(excerpt('x'.repeat(512))).toMatch(/^"x+…$/u)
})
