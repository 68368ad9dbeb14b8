import { expect, it } from 'vitest'
import { excerpt, lossesOf } from '../../../../kernel/src/run/losses.ts'

it('quotes a short line, with escapes for characters that cannot be printed', () => {
  expect(excerpt('rtt 12ms\0')).toBe('"rtt 12ms\\u0000"')
})

it('shows no more of a line than a sentence can hold, whatever it contains', () => {
  expect(excerpt('\0'.repeat(512))).toHaveLength(80)
  expect(excerpt('x'.repeat(512))).toMatch(/^"x+…$/u)
})

it('counts the lines that were refused between the start of a run, by the clock of the node, and the row of its end', () => {
  const at = (ms: number): Date => new Date(1_700_000_000_000 + ms)
  const loss = {
    kind: 'rejected',
    sliver: '1@1',
    lines: 3,
    reason: 'no sample',
    line: 'x',
    landed: 5,
  } as const
  const count = (ms: number, endLanded: number | null): number =>
    lossesOf([{ ...loss, time: at(ms) }], {
      ...{ run: 'a-20261130T135947Z-fe3ddb12f590', sliver: '1@1', startedAt: at(350), endLanded },
    }).rejected
  expect(count(300, null)).toBe(0)
  expect(count(400, null)).toBe(3)
  expect(count(400, 6)).toBe(3)
  expect(count(400, 4)).toBe(0)
})

it('counts no lines of another run that was in the same sliver at that time', () => {
  const run = 'a-20261130T135947Z-fe3ddb12f590'
  const other = 'b-20261130T135947Z-0123456789ab'
  const time = new Date(1_700_000_000_000)
  const part = { run, sliver: '1@1', startedAt: time, endLanded: null }
  const loss = { kind: 'rejected', sliver: '1@1', time, landed: 5, reason: 'odd' } as const
  const lines = [`x v=1s run=${run}`, `x v=1s run="${other}"`, 'x v=1s', `x text="run=${other}`]
  const losses = lines.map((line, index) => ({ ...loss, line, lines: 10 ** index }))
  // Lines that name no run may be of any.
  expect(lossesOf(losses, part).rejected).toBe(1101)
})
