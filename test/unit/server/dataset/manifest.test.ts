import { expect, it } from 'vitest'
import { beginOf, dueDays } from '../../../../server/src/dataset/domain/manifest.ts'

const at = (text: string) => Date.parse(text)
const graceMs = 1_800_000

it('publishes a day half an hour after its end', () => {
  const days = (now: string) =>
    dueDays({ firstMs: at('2026-05-04T11:00:00Z'), nowMs: at(now), graceMs, most: 400 })
  expect(days('2026-05-05T00:29:59Z')).toEqual([])
  expect(days('2026-05-05T00:30:00Z')).toEqual(['2026-05-04'])
  expect(days('2026-05-06T23:00:00Z')).toEqual(['2026-05-04', '2026-05-05'])
})

it('publishes the latest days alone where a node has a clock of 1970', () => {
  const days = dueDays({ firstMs: 0, nowMs: at('2026-05-04T12:00:00Z'), graceMs, most: 3 })
  expect(days).toEqual(['2026-05-01', '2026-05-02', '2026-05-03'])
})

it('knows which days there are', () => {
  expect(beginOf('2026-02-28')).toBe(at('2026-02-28T00:00:00Z'))
  expect(beginOf('2026-02-29')).toBeNull()
  expect(beginOf('../../etc')).toBeNull()
})
