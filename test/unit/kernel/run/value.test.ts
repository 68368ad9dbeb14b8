import {
  BIGINT,
  DOUBLE,
  HUGEINT,
  LIST,
  listValue,
  SQLNULL,
  TIMESTAMPTZ,
  UHUGEINT,
  VARCHAR,
} from '@duckdb/node-api'
import { expect, it } from 'vitest'
import { bindValue } from '../../../../kernel/src/run/value.ts'

const typeOf = (value: unknown) => bindValue(value, 1).type

it('gives each value the type of its kind', () => {
  expect(typeOf('n1')).toBe(VARCHAR)
  expect(typeOf(3)).toBe(BIGINT)
  expect(typeOf(3.5)).toBe(DOUBLE)
  expect(typeOf(2n ** 63n)).toBe(HUGEINT)
  expect(typeOf(-(2n ** 127n))).toBe(HUGEINT)
  expect(typeOf(2n ** 128n - 1n)).toBe(UHUGEINT)
  expect(typeOf(null)).toBe(SQLNULL)
  expect(typeOf(new Date(5))).toBe(TIMESTAMPTZ)
})

it('gives a list the type that all of its items have', () => {
  expect(typeOf([1, 2])).toEqual(LIST(BIGINT))
  expect(typeOf([1, 2.5])).toEqual(LIST(DOUBLE))
  expect(typeOf([1, 2n ** 64n])).toEqual(LIST(HUGEINT))
  expect(typeOf(['a'])).toEqual(LIST(VARCHAR))
  expect(typeOf([])).toEqual(LIST(SQLNULL))
})

it('keeps integers exact: beside a column of integers a double would equal its neighbours', () => {
  expect(bindValue(2 ** 60, 1)).toEqual({ value: 2n ** 60n, type: BIGINT })
  expect(bindValue(1e20, 1)).toEqual({ value: 10n ** 20n, type: HUGEINT })
  expect(typeOf(1e300)).toBe(DOUBLE)
  expect(bindValue([0.5, 2 ** 60], 1)).toEqual({
    value: listValue([0.5, 2 ** 60]),
    type: LIST(DOUBLE),
  })
})

it('refuses a text that DuckDB would change', () => {
  for (const value of ['a\ud800', ['a', '\udc00b']])
    expect(() => bindValue(value, 3)).toThrow(
      expect.objectContaining({
        code: 'LAB_SQL_INVALID',
        message: expect.stringMatching(/value 3 has half a character/u) as string,
      }) as Error,
    )
  expect(typeOf('🐱')).toBe(VARCHAR)
})

it('refuses values that no database has, and names their kind', () => {
  const cases = [
    [undefined, 'undefined'],
    [{}, 'an object'],
    [Promise.resolve(1), 'a promise, to be awaited first'],
    [new Date(Number.NaN), 'a Date that is no time'],
    [2n ** 128n, 'an integer below -2^127 or beyond 2^128 - 1'],
    [-(2n ** 127n) - 1n, 'an integer below -2^127 or beyond 2^128 - 1'],
    [[[1]], 'a list whose item 1 is a list itself'],
    [['a', undefined], 'a list whose item 2 is undefined'],
    [[1, null], 'a list whose item 2 is null'],
    [['a', 1], 'a list of different kinds'],
    [[0.5, 2n ** 64n + 1n], 'a list of different kinds'],
    [[0.5, 2n ** 53n + 1n], 'a list of different kinds'],
  ] as const
  for (const [value, found] of cases)
    expect(() => bindValue(value, 1)).toThrow(`value 1 of the query is ${found}; expected`)
})
