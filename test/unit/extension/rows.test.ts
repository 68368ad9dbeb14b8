import { createBoard } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { indexAfterKey, rowsOf } from '../../../extension/src/view/rows.ts'
import { formatTime } from '../../../extension/src/view/time.ts'

const sliver = (slice: number, node: number) => ({
  id: `${slice}@${node}`,
  slice: { id: slice },
  node: { id: node, name: `n${node}` },
})
const board = createBoard(
  {
    nodes: [10, 2].map((id) => ({ id, name: `n${id}` })),
    slices: [{ id: 1, name: 'first' }],
    slivers: [sliver(1, 10), sliver(1, 2)],
  },
  1,
)
const none = new Set<number>()
const keysOf = (folded = none) => rowsOf(board, folded).map(({ key }) => key)

describe('rows', () => {
  it('are nodes, slices and their slivers, n2 before n10', () => {
    expect(keysOf()).toEqual([
      'Nodes',
      'node 2',
      'node 10',
      'Slices',
      'slice 1',
      'sliver 1@2',
      'sliver 1@10',
    ])
  })

  it('leave out the slivers of a folded slice', () => {
    expect(keysOf(new Set([1]))).toEqual(['Nodes', 'node 2', 'node 10', 'Slices', 'slice 1'])
  })

  it('say what to do where there is nothing', () => {
    const empty = createBoard({ nodes: [], slices: [], slivers: [] }, 1)
    expect(rowsOf(empty, none).map(({ key }) => key)).toEqual([
      'Nodes',
      'no-nodes',
      'Slices',
      'no-slices',
    ])
  })

  it('are gone through by the arrows, which leave headings out', () => {
    const rows = rowsOf(board, none)
    expect(indexAfterKey(rows, 2, 'ArrowDown')).toBe(4)
    expect(indexAfterKey(rows, 4, 'ArrowUp')).toBe(2)
    expect(indexAfterKey(rows, 6, 'ArrowDown')).toBe(-1)
    expect([indexAfterKey(rows, 4, 'Home'), indexAfterKey(rows, 4, 'End')]).toEqual([1, 6])
  })
})

it('writes a time with its zone', () => {
  expect(formatTime('2026-01-01T12:00:00Z')).toMatch(/2026.*(?:UTC|GMT|[A-Z]{2,5})/u)
  expect(formatTime('never')).toBe('never')
})
