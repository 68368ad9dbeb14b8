import { readFileSync } from 'node:fs'
import { errorCodes } from '@community-lab/contract'
import { expect, it } from 'vitest'

const documented = [
  ...readFileSync(new URL('../../../ERRORS.md', import.meta.url), 'utf8').matchAll(
    /^\| `(LAB_[A-Z0-9_]+)` \| (\d+|–) \|/gmu,
  ),
].map((match) => ({ code: match[1] ?? '', status: match[2] === '–' ? 0 : Number(match[2]) }))

it('documents every error code, and no other', () => {
  expect(documented.map(({ code }) => code).sort()).toEqual(Object.keys(errorCodes).sort())
})

it('documents each code with the status it travels with', () => {
  const statuses = new Map<string, number>(
    Object.entries(errorCodes).map(([code, { status }]) => [code, status]),
  )
  for (const { code, status } of documented)
    expect([code, status]).toEqual([code, statuses.get(code)])
})
