import { expect, it } from 'vitest'
import { excerpt, lossesOf } from '../../../../kernel/src/run/losses.ts'

it('quotes a short line, with escapes for characters that cannot be printed', () => {
  expect(excerpt('rtt 12ms\0')).toBe('"rtt 12ms\\u0000"')
})

it('shows no more of a line than a sentence can hold, whatever it contains', () => {
  expect(excerpt('\0'.repeat(512))).toHaveLength(80)
  expect(excerpt('x'.repeat(512))).toMatch(/^"x+…$/u)
})

it('counts no lines of another run that was in the same sliver at that time', () => {
  const run = 'a-20261130T135947Z-fe3ddb12f590'
  const other = 'b-20261130T135947Z-0123456789ab'
  const part = { run, sliver: '1@1' }
  const loss = { kind: 'rejected', sliver: '1@1', reason: 'odd' } as const
  const lines = [`x v=1s run=${run}`, `x v=1s run="${other}"`, 'x v=1s', `x text="run=${other}`]
  const losses = lines.map((line, index) => ({ ...loss, line, lines: 10 ** index }))
  // Lines that name no run may be of any.
  expect(lossesOf(losses, part).rejected).toBe(1101)
})
