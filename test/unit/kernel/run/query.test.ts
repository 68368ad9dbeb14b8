import { expect, it } from 'vitest'
import { buildQuery } from '../../../../kernel/src/run/query.ts'

const query = (strings: TemplateStringsArray, ...values: readonly unknown[]) =>
  buildQuery(strings, values).sql

it('makes a parameter of each value, never text', () => {
  expect(query`select * from rtt where peer = ${"'; drop table rtt; --"} and seq > ${3}`).toBe(
    'select * from rtt where peer = $1 and seq > $2',
  )
})

it('has one parameter for a value that occurs twice, so that the same text is the same expression', () => {
  const at = new Date(5)
  const built = buildQuery(Object.assign(['', ',', ',', ',', ',', ',', ''], { raw: [] }), [
    ...[5, '5', 5, new Date(5), at, ['a, b']],
  ])
  expect(built.sql).toBe('$1,$2,$1,$3,$3,$4')
  expect([built.values.length, built.types.length]).toEqual([4, 4])
  expect(query`select ${['a, b']}, ${['a', 'b']}, ${0}, ${-0}`).toBe('select $1, $2, $3, $4')
})

it('says what to write for a missing value', () => {
  expect(() => query``).toThrow(/it is empty; write select/u)
  expect(
    () => query`
    -- from rtt
    /* */ ;`,
  ).toThrow(/it is empty/u)
})

it('takes lists, intervals and limits where SQL has them', () => {
  expect(query`select * from rtt where peer in (${['n1']}) limit ${3}`).toBe(
    'select * from rtt where peer in (select unnest($1)) limit $2',
  )
  expect(query`where time > now() - interval ${5} minutes`).toBe(
    'where time > now() - interval ($1) minutes',
  )
  expect(query`where time > now() - interval ${'5 minutes'}`).toContain('interval ($1)')
})

it('refuses text that DuckDB would change or cut', () => {
  expect(() => query`select '\ud800'`).toThrow(/half a character/u)
  expect(() => query`select '\0'`).toThrow(/NUL/u)
})

it('accepts queries that only look like a mistake', () => {
  expect(query`select 'it''s', e'\\'', $$'$$, "a""'" /* ' */ -- '
    , ${1}`).toContain(', $1')
  expect(query`select extract(year from ${'2026-01-01'}::date), a is distinct from ${'b'}`).toBe(
    'select extract(year from $1::date), a is distinct from $2',
  )
  expect(query`select '$1', 5 -- $2
    order by 1`).toContain("'$1'")
})

it('says what to write for a value inside of quotes, a quoted name or a comment', () => {
  const name = 'n1'
  expect(() => query`where peer = '${name}'`).toThrow(
    /value 1 stands inside quotes.*peer = \$\{name\}/u,
  )
  expect(() => query`where a = ${1} and peer like '%${name}%'`).toThrow(
    /value 2 stands inside quotes/u,
  )
  expect(() => query`where time > now() - interval '${5} minutes'`).toThrow(
    /interval \$\{5\} minutes/u,
  )
  expect(() => query`select "${name}" from rtt`).toThrow(/write the name itself, or columns/u)
  expect(() => query`select 1 -- ${name}`).toThrow(/stands in a comment/u)
})

it('says what to write for a name that is given as a value', () => {
  expect(() => query`select * from ${'rtt'}`).toThrow(/write from rtt, or from query_table/u)
  expect(() => query`from a join ${'rtt'} using (node)`).toThrow(/write join rtt/u)
  expect(() => query`from rtt order by ${'time'}`).toThrow(/as in order by time/u)
})

it('says what to write for a call, a parameter and an interval that DuckDB would cut off', () => {
  expect(() => buildQuery('select 1', [])).toThrow(/sql was called as a function/u)
  expect(() => buildQuery(['select 1'], [])).toThrow(/without parentheses/u)
  expect(() => query`from rtt where seq = $1`).toThrow(/\$1 stands in it/u)
  expect(() => query`select interval ${1.5} minutes`).toThrow(
    /whole ones only; write it in seconds/u,
  )
  expect(() => query`select interval ${90}`).toThrow(/write interval \$\{90\} seconds/u)
})
