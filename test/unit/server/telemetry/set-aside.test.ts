import { expect, it } from 'vitest'
import { planAside, tellAside } from '../../../../server/src/telemetry/domain/set-aside.ts'

const aside = (name: string, bytes: number, setAsideNs: bigint) => ({ name, bytes, setAsideNs })
const namesOf = (files: readonly { readonly name: string }[]) => files.map(({ name }) => name)

it('keeps the files that were set aside last, by their number and bytes', () => {
  const files = [aside('a', 4, 3n), aside('b', 4, 1n), aside('c', 4, 2n), aside('d', 4, 3n)]
  expect(namesOf(planAside(files, { files: 2, bytes: 100 }))).toEqual(['b', 'c'])
  expect(namesOf(planAside(files, { files: 9, bytes: 12 }))).toEqual(['b'])
  expect(namesOf(planAside(files, { files: 9, bytes: 3 }))).toEqual(['b', 'c', 'a', 'd'])
  expect(planAside(files, { files: 4, bytes: 16 })).toEqual([])
})

it('names twenty of the files that went, and counts the others', () => {
  const removed = Array.from({ length: 22 }, (_, at) => aside(`f${at}`, 1, BigInt(at)))
  expect(tellAside('/d', removed, { files: 1, bytes: 2 })).toMatch(/: f0, .*, f19 and 2 more,/u)
})
