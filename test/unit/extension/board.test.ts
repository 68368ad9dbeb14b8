import type { ChangeEvent, Node } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import {
  applyChange,
  createBoard,
  maxIncidents,
  sortByName,
} from '../../../extension/src/model/board.ts'

const aNode = (id: number, name: string): Node => ({
  uri: `/api/nodes/${id}/`,
  id,
  name,
  description: '',
  group: { uri: '/api/groups/1/', id: 1 },
  arch: 'x86_64',
  properties: {},
  set_state: 'production',
  boot_sn: 0,
  mgmt_net: { backend: 'tinc', addr: `fd65:fc41:c50f:${id}::2` },
  tinc: { name: `node_${id}`, pubkey: null },
  resources: [],
  slivers: [],
  state: 'production',
  state_changed_on: null,
  last_seen_on: null,
  soft_version: null,
  public_prefix: null,
  capabilities: null,
  errors: [],
})

const aChange = (id: number, change: Partial<ChangeEvent>): ChangeEvent => ({
  id,
  time: '2026-01-01T00:00:00Z',
  kind: 'node',
  action: 'updated',
  object_id: '1',
  object: aNode(1, 'n1'),
  ...change,
})

const empty = createBoard({ nodes: [], slices: [], slivers: [] }, 5)

describe('a board', () => {
  it('takes over what a change says and remembers its id', () => {
    const board = applyChange(empty, aChange(6, { object: aNode(1, 'renamed') }))
    expect(board.nodes.get(1)?.name).toBe('renamed')
    expect(board.lastEventId).toBe(6)
  })

  it('ignores a change that its lists held already', () => {
    expect(applyChange(empty, aChange(5, {}))).toBe(empty)
  })

  it('forgets what was deleted', () => {
    const one = applyChange(empty, aChange(6, {}))
    const none = applyChange(one, aChange(7, { action: 'deleted', object: null }))
    expect(none.nodes.size).toBe(0)
  })

  it('keeps the newest incidents only', () => {
    let board = empty
    for (let id = 6; id < 6 + maxIncidents + 3; id++) {
      const object = { code: 'unauthorized_subnet' as const, node: 'n1', message: `m${id}` }
      board = applyChange(board, aChange(id, { kind: 'incident', action: 'created', object }))
    }
    expect(board.incidents).toHaveLength(maxIncidents)
    expect(board.incidents[0]?.message).toBe(`m${6 + maxIncidents + 2}`)
  })

  it('sorts n2 before n10', () => {
    const names = sortByName([aNode(10, 'n10'), aNode(2, 'n2')]).map((node) => node.name)
    expect(names).toEqual(['n2', 'n10'])
  })
})
