import { describe, expect, it } from 'vitest'
import {
  applyChanges,
  createBoard,
  maxIncidents,
  type AnyChange,
  type Board,
} from '../../../server/contract/src/board.ts'

const aNode = (id: number, name: string) => ({ id, name, state: 'production', errors: [] })
const aSliver = (slice: number, node: number, changes: object = {}) => ({
  id: `${slice}@${node}`,
  slice: { id: slice },
  node: { id: node, name: `n${node}` },
  state: 'started',
  errors: [],
  ...changes,
})

const aChange = (id: number, change: Partial<AnyChange>): AnyChange => ({
  id,
  time: '2026-01-01T00:00:00Z',
  kind: 'node',
  object_id: '1',
  object: aNode(1, 'n1'),
  ...change,
})
const sliverChange = (id: number, slice: number, node: number, object: object | null): AnyChange =>
  aChange(id, { kind: 'sliver', object_id: `${slice}@${node}`, object })

const empty = createBoard({ nodes: [], slices: [], slivers: [] }, 5)

describe('a board', () => {
  it('takes over what a change says and remembers its id', () => {
    const board = applyChanges(empty, [aChange(6, { object: aNode(1, 'renamed') })])
    expect(board.nodes.get(1)?.name).toBe('renamed')
    expect(board.lastEventId).toBe(6)
  })

  it('ignores a change that its lists held already, and one that comes twice', () => {
    expect(applyChanges(empty, [aChange(5, {})])).toBe(empty)
    const twice = applyChanges(empty, [
      aChange(6, {}),
      aChange(6, { object: aNode(1, 'a second time') }),
    ])
    expect(twice.nodes.get(1)?.name).toBe('n1')
  })

  it('forgets what was deleted', () => {
    const one = applyChanges(empty, [aChange(6, {})])
    expect(applyChanges(one, [aChange(7, { object: null })]).nodes.size).toBe(0)
  })

  it('knows the slivers of each slice and how many each node carries', () => {
    const lists = { nodes: [], slices: [], slivers: [aSliver(1, 1), aSliver(1, 2), aSliver(2, 1)] }
    const board = createBoard(lists, 5)
    expect([...(board.slivers.get(1)?.keys() ?? [])]).toEqual(['1@1', '1@2'])
    expect(board.sliverCounts.get(1)).toBe(2)
    const next = applyChanges(board, [
      sliverChange(6, 2, 1, null),
      sliverChange(7, 2, 1, null),
      sliverChange(8, 1, 2, aSliver(1, 2, { state: 'fail_start' })),
      sliverChange(9, 3, 1, aSliver(3, 1)),
    ])
    expect(next.slivers.has(2)).toBe(false)
    expect(next.slivers.get(1)?.get('1@2')?.state).toBe('fail_start')
    expect(next.sliverCounts).toEqual(
      new Map([
        [1, 2],
        [2, 1],
      ]),
    )
  })

  it('leaves the board before as it was, and what did not change the same object', () => {
    const lists = { nodes: [aNode(1, 'n1')], slices: [], slivers: [aSliver(1, 1), aSliver(2, 1)] }
    const before = createBoard(lists, 5)
    const after = applyChanges(before, [
      sliverChange(6, 1, 1, aSliver(1, 1, { state: 'deployed' })),
    ])
    expect(before.slivers.get(1)?.get('1@1')?.state).toBe('started')
    expect(after.nodes).toBe(before.nodes)
    expect(after.slivers.get(2)).toBe(before.slivers.get(2))
    expect(after.slivers.get(1)).not.toBe(before.slivers.get(1))
  })

  it('is the same whether changes come one by one or at once', () => {
    const changes = [
      aChange(6, {}),
      sliverChange(7, 1, 1, aSliver(1, 1)),
      sliverChange(8, 1, 1, null),
      sliverChange(9, 1, 2, aSliver(1, 2)),
      aChange(10, { object_id: '1', object: null }),
    ]
    const one = changes.reduce<Board>((board, change) => applyChanges(board, [change]), empty)
    expect(applyChanges(empty, changes)).toEqual(one)
  })

  it('keeps the newest incidents only', () => {
    const changes = Array.from({ length: maxIncidents + 3 }, (_, index) =>
      aChange(6 + index, { kind: 'incident', object: { code: 'new_code', message: `m${index}` } }),
    )
    const board = applyChanges(empty, changes)
    expect(board.incidents).toHaveLength(maxIncidents)
    expect(board.incidents[0]?.message).toBe(`m${maxIncidents + 2}`)
  })
})

describe('a server from the future', () => {
  it('may tell of kinds that are not known here', () => {
    const board = applyChanges(empty, [
      aChange(6, { kind: 'campaign', object_id: 'x', object: { anything: 1 } }),
      aChange(7, {}),
    ])
    expect(board.nodes.size).toBe(1)
    expect(board.lastEventId).toBe(7)
  })

  it('may have members and states that are not known here, and none of those that are not read', () => {
    const object = { id: 1, name: 'n1', state: 'hibernating', mood: { level: 3 } }
    const board = applyChanges(empty, [aChange(6, { object })])
    expect(board.nodes.get(1)).toEqual({ ...object, errors: [] })
  })

  it('is not believed where an object is none of its kind', () => {
    for (const object of [5, 'x', [], {}, { id: '1', name: 'n1' }, { id: 1 }])
      expect(applyChanges(empty, [aChange(6, { object })]).nodes.size).toBe(0)
    const board = createBoard({ nodes: [null], slices: [7], slivers: [{ id: '1@1' }] }, 1)
    expect([board.nodes.size, board.slices.size, board.slivers.size]).toEqual([0, 0, 0])
  })
})
