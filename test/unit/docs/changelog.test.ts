import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const page = readFileSync(new URL('../../../CHANGELOG.md', import.meta.url), 'utf8')
/** Each entry on one line. */
const entries = page
  .slice(page.indexOf('\n## '))
  .split(/\n(?=- |#|\n|[A-Z])/u)
  .filter((text) => text.startsWith('- '))
  .map((text) => text.trimEnd().replaceAll(/\n\s*/gu, ' '))

it('has whole entries: each ends with its sentence', () => {
  expect(entries.filter((entry) => !/[.:)]\**$/u.test(entry))).toEqual([])
})

it('tells nothing twice: no two entries begin alike', () => {
  const begins = entries.map((entry) => entry.slice(0, 60))
  expect(begins.filter((begin, n) => begins.indexOf(begin) !== n)).toEqual([])
})
