import { expect, it } from 'vitest'
import { cpuUse, meanCpuUse } from '../../../../kernel/src/operator/cpu-use.ts'

const at = (s: number): Date => new Date(Date.UTC(2026, 4, 4) + s * 1000)
const rows = (of: string, samples: readonly (readonly [number, number | null])[]) =>
  samples.map(([s, counter]) => ({ time: at(s), of, counter }))
const options = {
  of: (row: { of: string }) => row.of,
  seconds: (row: { counter: number | null }) => row.counter,
}

it('is the increase of the counter by the time between two samples', () => {
  const uses = cpuUse(
    rows('1@n1', [
      [0, 100],
      [10, 105],
      [30, 105],
      [32, 109],
    ]),
    options,
  )
  expect(uses.map(({ cpus }) => cpus)).toEqual([0.5, 0, 2])
  expect(uses[1]).toMatchObject({ of: '1@n1', from: at(10), to: at(30) })
  // 9 seconds in 32.
  expect(meanCpuUse(uses)).toEqual([{ of: '1@n1', cpus: 0.28125 }])
})

it('takes a counter that fell as one that began anew', () => {
  // The sliver was started again: of 100 s before, nothing is counted twice, and nothing is negative.
  const uses = cpuUse(
    rows('1@n1', [
      [0, 100],
      [10, 3],
      [20, 4],
    ]),
    options,
  )
  expect(uses.map(({ cpus }) => cpus)).toEqual([0.3, 0.1])
})

it('leaves out rows without the counter and those of the same time, and keeps things apart', () => {
  const uses = cpuUse(
    [
      ...rows('b', [
        [10, 2],
        [0, 1],
      ]),
      ...rows('a', [
        [0, 5],
        [5, null],
        [10, 6],
        [10, 6],
      ]),
    ],
    options,
  )
  expect(uses.map(({ of, cpus }) => [of, cpus])).toEqual([
    ['a', 0.1],
    ['b', 0.1],
  ])
})

it('has no use of one sample', () => {
  expect(meanCpuUse(cpuUse(rows('a', [[0, 5]]), options))).toEqual([])
})
