import { expect, it } from 'vitest'
import { LabError } from '@community-lab/contract'
import { modifiedZScores, outliers } from '../../../../kernel/src/operator/outliers.ts'

it('scores by the median absolute deviation', () => {
  // By hand: the median is 4, the deviations are 3, 2, 0, 2, 96, so MAD is 2: 0.6745 × 96 / 2 = 32.376.
  const scores = modifiedZScores([1, 2, 4, 6, 100])
  expect(scores.map((score) => Number(score.toFixed(5)))).toEqual([
    -1.01175, -0.6745, 0, 0.6745, 32.376,
  ])
})

it('scores by the mean absolute deviation where more than half of the values are equal', () => {
  // By hand: the mean deviation is 10 / 5 = 2; 10 / (2 × 1.253314) = 3.98942.
  expect(modifiedZScores([0, 0, 0, 0, 10])[4]).toBeCloseTo(3.98942, 5)
  expect(modifiedZScores([7, 7, 7])).toEqual([0, 0, 0])
  expect(modifiedZScores([])).toEqual([])
  expect(modifiedZScores([5])).toEqual([0])
})

it('chooses those beyond 3.5, the farthest first', () => {
  // The median is 10, MAD is 1: 18 has 0.6745 × 8 = 5.396, 2 has −5.396, 15 has 3.3725.
  const values = [9, 10, 11, 9, 11, 10, 18, 2, 15, 10, -30]
  expect(outliers(values, (value) => value)).toEqual([-30, 18, 2])
  expect(outliers(values, (value) => value, { side: 'above' })).toEqual([18])
  expect(outliers(values, (value) => value, { side: 'above', threshold: 3 })).toEqual([18, 15])
})

it('refuses a value that is not a number, rather than finding nothing', () => {
  expect(() => modifiedZScores([1, Number.NaN])).toThrow(LabError)
})
