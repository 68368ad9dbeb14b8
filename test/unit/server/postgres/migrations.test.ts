import { expect, it } from 'vitest'
import { migrations } from '../../../../server/src/postgres/migrations.ts'

it('the steps of the schema are numbered without a gap, and each is made once', () => {
  const numbers = Object.keys(migrations).map((name) => Number(name.slice(0, 4)))
  expect(numbers).toEqual(numbers.map((_, at) => at + 1))
  const steps = Object.values(migrations).map(({ up }) => up)
  expect(new Set(steps).size).toBe(steps.length)
})
