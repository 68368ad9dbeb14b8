import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  compareClocks,
  followStep,
  middleOf,
  type WallClock,
} from '../../../../agent/src/clock/domain/wall.ts'

/** Read the clocks with delays between the three readings. The wall clock has steps of a millisecond. */
function read(wallAt: (us: number) => number, us: number, [first, second]: readonly number[]) {
  const readUs = us + (first ?? 0)
  return {
    beforeUs: us,
    wallUs: Math.floor(wallAt(readUs) / 1000) * 1000,
    afterUs: readUs + (second ?? 0),
    resolutionUs: 1000,
  }
}

const gaps = fc.array(fc.integer({ min: 0, max: 2_000_000 }), { minLength: 3, maxLength: 3 })

it('reports no step of a clock that nobody sets, however late the machine reads it', () => {
  fc.assert(
    fc.property(fc.array(gaps, { maxLength: 50 }), fc.integer({ max: 1e15 }), (all, aheadUs) => {
      let us = 1e6
      let wall: WallClock | null = null
      for (const [pause = 0, ...reading] of all) {
        const compared = compareClocks(
          wall,
          read((at) => at + aheadUs, us, reading),
        )
        expect(compared.step).toBeNull()
        wall = compared.wall
        us += pause + (reading[0] ?? 0) + (reading[1] ?? 0)
      }
    }),
  )
})

it('reports a step of 3 ms or more once, by how much, and between which comparisons', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 3_000, max: 1e14 }), fc.integer({ min: -1e14, max: -3_000 })),
      (byUs) => {
        const before = compareClocks(
          null,
          read((at) => at, 1e6, [5, 5]),
        )
        const found = compareClocks(
          before.wall,
          read((at) => at + byUs, 2e6, [5, 5]),
        )
        expect(found.step).toMatchObject({ afterUs: 1e6 + 10, foundUs: 2e6 + 10 })
        expect(Math.abs((found.step?.byUs ?? 0) - byUs)).toBeLessThanOrEqual(1_010)
        const after = compareClocks(
          found.wall,
          read((at) => at + byUs, 3e6, [5, 5]),
        )
        expect(after.step).toBeNull()
      },
    ),
  )
})

it('finds small steps that add up', () => {
  let wall: WallClock | null = null
  let steps = 0
  for (let i = 0; i < 20; i++) {
    const compared = compareClocks(
      wall,
      read((at) => at + i * 500, i * 1e6 + 1e9, [1, 1]),
    )
    wall = compared.wall
    if (compared.step !== null) steps++
  }
  expect(steps).toBeGreaterThan(3)
  expect(Math.abs((wall === null ? 0 : middleOf(wall)) - 9_500)).toBeLessThan(1_500)
})

it('follows steps forward, and back only where the times before do not come again soon', () => {
  expect(followStep(5_000)).toBe(5_000)
  expect(followStep(-20e6)).toBe(0)
  expect(followStep(-12 * 365 * 86_400e6)).toBe(-12 * 365 * 86_400e6)
})
