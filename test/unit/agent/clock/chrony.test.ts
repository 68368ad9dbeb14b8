import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseTracking } from '../../../../agent/src/clock/domain/chrony.ts'

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/chrony/${name}.csv`, import.meta.url), 'utf8')

it('reads the offset and its bound: the root dispersion and half of the root delay', () => {
  const line =
    'C0000201,192.0.2.1,2,1796057004.462424639,-0.000250000,0.000012000,0.000040000,-12.345,0.001,0.042,0.012000000,0.000500000,64.2,Normal\n'
  const read = parseTracking(line)
  expect(read?.offsetS).toBe(-0.000_25)
  expect(read?.errorS).toBeCloseTo(0.0065, 9)
})

it('reads what chronyd 4.3 says with a reference of its own, and nothing from one without any', () => {
  expect(parseTracking(fixture('local'))).toEqual({ offsetS: 0, errorS: 0 })
  expect(parseTracking(fixture('alone'))).toBeNull()
})

it('takes nothing else for an answer', () => {
  for (const text of [
    '',
    '506 Cannot talk to daemon',
    ','.repeat(13),
    fixture('local').replaceAll('0', 'x'),
  ])
    expect(parseTracking(text)).toBeNull()
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 16 }), (fields) => {
      const read = parseTracking(fields.join(','))
      expect(read === null || Number.isFinite(read.offsetS)).toBe(true)
    }),
  )
})
