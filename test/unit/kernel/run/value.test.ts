import { expect, it } from 'vitest'
import { bindValue, buildQuery, readValue } from '../../../../kernel/src/run/value.ts'

const query = (strings: TemplateStringsArray, ..._values: readonly unknown[]) => buildQuery(strings)

it('makes a parameter of each value, never text', () => {
  expect(query`select * from rtt where peer = ${"'; drop table rtt; --"} and seq > ${3}`).toBe(
    'select * from rtt where peer = $1 and seq > $2',
  )
})

it('makes numbers of integers as far as that is exact', () => {
  expect(readValue(12n)).toBe(12)
  expect(readValue(2n ** 53n)).toBe(2n ** 53n)
  expect(readValue([1n, { a: 2n }])).toEqual([1, { a: 2 }])
  expect(readValue(new Date(5))).toEqual(new Date(5))
})

it('refuses values that no database knows', () => {
  for (const value of [undefined, {}, [], new Date(Number.NaN), [undefined]])
    expect(() => bindValue(value, 1)).toThrow(/value 1 of the query/u)
})
