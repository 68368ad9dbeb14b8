import { expect, it } from 'vitest'
import { formatTable } from '../../../server/cli/src/output/table.ts'

const columns = [
  { title: 'ID', show: (row: { id: number; name: string | null }) => row.id, align: 'right' },
  { title: 'NAME', show: (row: { id: number; name: string | null }) => row.name },
] as const

it('puts rows under their titles, numbers at the right, and nothing behind the last column', () => {
  const rows = [
    { id: 7, name: 'n1' },
    { id: 120, name: 'garden-roof' },
  ]
  expect(formatTable(rows, columns)).toEqual([' ID  NAME', '  7  n1', '120  garden-roof'])
})

it('shows what is missing as a hyphen', () => {
  expect(formatTable([{ id: 1, name: null }], columns)).toEqual(['ID  NAME', ' 1  -'])
})

it('lets no name drive the terminal', () => {
  expect(formatTable([{ id: 1, name: 'a\u001b[2Jb\nc' }], columns)[1]).toBe(' 1  a?[2Jb?c')
})

it('is empty without rows', () => {
  expect(formatTable([], columns)).toEqual([])
})
