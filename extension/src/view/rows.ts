import type { Board, Node, Slice, Sliver, TimedIncident } from '@community-lab/contract'
import { nodesOf, slicesOf, sliversOf } from '../model/order.ts'

/** A row of the panel. `key` is unique. `level` is the depth in the tree. */
export type Row =
  | { readonly kind: 'heading'; readonly key: string; readonly title: string }
  | { readonly kind: 'hint'; readonly key: 'no-nodes' | 'no-slices' }
  | { readonly kind: 'incident'; readonly key: string; readonly incident: TimedIncident }
  | { readonly kind: 'node'; readonly key: string; readonly node: Node; readonly slivers: number }
  | {
      readonly kind: 'slice'
      readonly key: string
      readonly slice: Slice
      readonly slivers: readonly Sliver[]
      readonly isOpen: boolean
    }
  | { readonly kind: 'sliver'; readonly key: string; readonly sliver: Sliver }

/**
 * Return the rows of a board in order: what needs an operator's attention, the nodes, and the slices with their slivers. `folded`: slices whose slivers are
 * hidden.
 */
export function rowsOf(board: Board, folded: ReadonlySet<number>): readonly Row[] {
  const nodes = nodesOf(board)
  const slices = slicesOf(board)
  const rows: Row[] = []
  if (board.incidents.length > 0) rows.push(heading('Incidents', board.incidents.length))
  for (const [index, incident] of board.incidents.entries())
    rows.push({ kind: 'incident', key: `incident ${incident.time} ${index}`, incident })
  rows.push(heading('Nodes', nodes.length))
  if (nodes.length === 0) rows.push({ kind: 'hint', key: 'no-nodes' })
  for (const node of nodes) {
    const slivers = board.sliverCounts.get(node.id) ?? 0
    rows.push({ kind: 'node', key: `node ${node.id}`, node, slivers })
  }
  rows.push(heading('Slices', slices.length))
  if (slices.length === 0) rows.push({ kind: 'hint', key: 'no-slices' })
  for (const slice of slices) {
    const slivers = sliversOf(board, slice.id)
    const isOpen = !folded.has(slice.id)
    rows.push({ kind: 'slice', key: `slice ${slice.id}`, slice, slivers, isOpen })
    if (isOpen)
      for (const sliver of slivers)
        rows.push({ kind: 'sliver', key: `sliver ${sliver.id}`, sliver })
  }
  return rows
}

function heading(title: string, count: number): Row {
  return { kind: 'heading', key: title, title: `${title} (${count})` }
}

/** Tell whether the arrow keys stop at a row. */
export function isStop(row: Row): boolean {
  return row.kind !== 'heading' && row.kind !== 'hint'
}

/** Return the index of the row to which a key moves from another; -1: none. Source: WAI-ARIA Authoring Practices 1.2, "Tree View": arrows, Home and End. */
export function indexAfterKey(rows: readonly Row[], from: number, key: string): number {
  switch (key) {
    case 'ArrowDown':
      return rows.findIndex((row, index) => index > from && isStop(row))
    case 'ArrowUp':
      return rows.findLastIndex((row, index) => index < from && isStop(row))
    case 'Home':
      return rows.findIndex(isStop)
    case 'End':
      return rows.findLastIndex(isStop)
    default:
      return -1
  }
}
