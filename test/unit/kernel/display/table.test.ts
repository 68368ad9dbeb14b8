import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { asTable, renderTable, rowColumns } from '../../../../kernel/src/display/table.ts'

const rows = [
  { node: 'n1', rtt_s: 0.0123456789, time: new Date(0) },
  { node: 'n10', rtt_s: null, time: new Date(1000) },
]

it('prints rows as a table, with numbers aligned to the right', () => {
  expect(inspect(asTable([...rows], () => rowColumns(rows)))).toBe(
    `node      rtt_s  time
────  ─────────  ────────────────────────
n1    0.0123457  1970-01-01T00:00:00.000Z
n10              1970-01-01T00:00:01.000Z`,
  )
})

it('does not change the array', () => {
  const table = asTable([...rows], () => rowColumns(rows))
  expect(Object.keys(table)).toEqual(['0', '1'])
  expect(table.map(({ node }) => node)).toEqual(['n1', 'n10'])
})

it('lets no output of a sliver become HTML or control the terminal', () => {
  const evil = [{ out: '<script>alert(1)</script>\u001b[2J' }]
  expect(renderTable(evil, rowColumns(evil))).not.toContain('<script')
  expect(inspect(asTable([...evil], () => rowColumns(evil)))).not.toContain('\u001b')
})

it('shows the beginning of a long table and its length', () => {
  const many = Array.from({ length: 1000 }, (_, n) => ({ n }))
  const text = inspect(asTable(many, () => rowColumns(many)))
  expect(text.split('\n')).toHaveLength(53)
  expect(text).toContain('50 of 1000 rows')
})
