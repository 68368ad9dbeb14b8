import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  addRefusal,
  bufferFull,
  maxReasons,
  otherReasons,
  tellRefusals,
  type Refusal,
} from '../../../../../agent/src/measurement/domain/refusals.ts'

const none: readonly Refusal[] = []
const refuse = (before: readonly Refusal[], reason: string, timeUs: number, lines = 1) =>
  addRefusal(before, { reason, lines, line: () => `line ${timeUs}`, time_us: timeUs })

it('tells of one unreadable line at once', () => {
  const { samples } = tellRefusals(refuse(none, 'odd', 5), { source: '1@1', nowUs: 7 })
  const fields = { reason: 'odd', lines: 1, line: 'line 5' }
  expect(samples).toEqual([{ time_us: 5, source: '1@1', name: 'rejected', fields }])
})

it('tells of lost lines as dropped', () => {
  const { samples } = tellRefusals(refuse(none, bufferFull, 5, 3), { source: '1@1', nowUs: 7 })
  expect(samples).toEqual([{ time_us: 5, source: '1@1', name: 'dropped', fields: { lines: 3 } }])
})

it('keeps reasons apart up to a number of them', () => {
  let refusals = none
  for (let at = 0; at < 100; at++) refusals = refuse(refusals, `reason ${at}`, at)
  expect(refusals).toHaveLength(maxReasons + 1)
  expect(refusals.at(-1)).toMatchObject({ reason: otherReasons, lines: 100 - maxReasons })
})

it('keeps the lines of runs apart, because each run counts its own', () => {
  const runs = ['a-20261130T135947Z-fe3ddb12f590', 'b-20261130T135947Z-0123456789ab', null]
  let refusals = none
  for (let at = 3; at < 12; at++) {
    const run = runs[at % 3] ?? null
    const line = (): string => `x v=1s run=${run ?? runs[0]}`
    refusals = addRefusal(refusals, { reason: 'odd', run, lines: at, line, time_us: at })
  }
  const { samples } = tellRefusals(refusals, { source: '1@1', nowUs: 10 })
  expect(samples.map(({ fields }) => [fields['line'], fields['lines']])).toEqual(
    // What is of any run names none, though its example does.
    [
      [`x v=1s run=${runs[0]}`, 18],
      [`x v=1s run=${runs[1]}`, 21],
      ['x v=1s', 24],
    ],
  )
})

it('tells of every line once, and for each reason once in a second', () => {
  const step = fc.record({
    reason: fc.constantFrom('one', 'two', 'three'),
    afterUs: fc.nat(700_000),
    lines: fc.nat(4),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let refusals = none
      let nowUs = 1_000_000_000
      let refused = 0
      let told = 0
      const toldAt = new Map<unknown, number>()
      for (const { reason, afterUs, lines } of steps) {
        nowUs += afterUs
        refused += lines
        const { samples, left } = tellRefusals(refuse(refusals, reason, nowUs, lines), {
          source: '1@1',
          nowUs,
        })
        for (const { fields } of samples) {
          expect(nowUs - (toldAt.get(fields['reason']) ?? 0)).toBeGreaterThanOrEqual(1_000_000)
          toldAt.set(fields['reason'], nowUs)
          told += Number(fields['lines'])
        }
        refusals = left
      }
      const { samples } = tellRefusals(refusals, { source: '1@1', nowUs, all: true })
      for (const { fields } of samples) told += Number(fields['lines'])
      expect(told).toBe(refused)
    }),
  )
})
