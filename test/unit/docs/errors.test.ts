import { readFileSync } from 'node:fs'
import { errorCodes } from '@community-lab/contract'
import { expect, it } from 'vitest'

const page = readFileSync(new URL('../../../ERRORS.md', import.meta.url), 'utf8')
/** Each documented code with the beginning of its row. */
const documented = new Map(
  [...page.matchAll(/^\| `(LAB_[A-Z0-9_]+)` \| (?:\d+|–) \|/gmu)].map(([row, code]) => [code, row]),
)
/** How each code's row must begin. */
const expected = Object.entries(errorCodes).map(
  ([code, { status }]) => `| \`${code}\` | ${status === 0 ? '–' : status} |`,
)

it('documents every error code with the status it travels with', () => {
  const rows = [...documented.values()]
  // What is printed here is to be added to ERRORS.md, each in its area.
  expect(expected.filter((row) => !rows.includes(row))).toEqual([])
})

it('documents no code that is not there, and none twice', () => {
  const codes = [...page.matchAll(/^\| `(LAB_[A-Z0-9_]+)`/gmu)].map((match) => match[1])
  expect(codes.filter((code) => !Object.hasOwn(errorCodes, code ?? ''))).toEqual([])
  expect(codes).toHaveLength(new Set(codes).size)
})

it('says of every code what it means and what to do', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `LAB_'))
  for (const row of rows)
    expect(row).toMatch(/^\| `LAB_[A-Z0-9_]+` \| (?:\d{3}|–) \| \S[^|]{9,} \| \S[^|]{5,} \|$/u)
})
