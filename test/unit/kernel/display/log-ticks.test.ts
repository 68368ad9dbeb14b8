import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chooseLogTicks } from '../../../../kernel/src/display/log-ticks.ts'

const ticks = (low: number, high: number, length: number) =>
  chooseLogTicks({ name: 'x', domain: [low, high], length })

it('prefers powers of ten, and chooses finer numbers where there are none', () => {
  expect(ticks(0.0002, 0.08, 90)).toEqual([0.001, 0.01])
  expect(ticks(2, 8, 90)).toEqual([2, 5])
})

it('returns at least two ticks within any domain, in order, and no more than fit', () => {
  const value = fc.double({ min: -12, max: 12, noNaN: true })
  fc.assert(
    fc.property(value, fc.double({ min: 0.01, max: 12, noNaN: true }), (power, decades) => {
      const [low, high] = [10 ** power, 10 ** (power + decades)]
      const found = ticks(low, high, 90)
      expect(found.length).toBeGreaterThanOrEqual(2)
      expect(found.length).toBeLessThanOrEqual(3)
      expect(found.every((tick) => tick >= low * 0.999999 && tick <= high * 1.000001)).toBe(true)
      expect([...found].sort((one, other) => one - other)).toEqual(found)
    }),
  )
})
