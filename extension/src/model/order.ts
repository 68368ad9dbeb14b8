import type { Board, Node, Slice, Sliver } from '@community-lab/contract'

const collator = new Intl.Collator('en', { numeric: true })

/** Compare names in natural order: n2 before n10. */
function compareNames(a: string, b: string): number {
  return collator.compare(a, b)
}

// A board's map is never changed: a change of the board makes a new map. So each map is sorted once, and the result is stored for it.
const nodes = new WeakMap<object, readonly Node[]>()
const slices = new WeakMap<object, readonly Slice[]>()
const slivers = new WeakMap<object, readonly Sliver[]>()
const none: ReadonlyMap<string, Sliver> = new Map()

/** Return the nodes, sorted by name. */
export function nodesOf(board: Board): readonly Node[] {
  return ordered(nodes, board.nodes, ({ name }) => name)
}

/** Return the slices, sorted by name. */
export function slicesOf(board: Board): readonly Slice[] {
  return ordered(slices, board.slices, ({ name }) => name)
}

/** Return the slivers of a slice, sorted by the names of their nodes. */
export function sliversOf(board: Board, sliceId: number): readonly Sliver[] {
  return ordered(slivers, board.slivers.get(sliceId) ?? none, ({ node }) => node.name)
}

function ordered<T>(
  known: WeakMap<object, readonly T[]>,
  map: ReadonlyMap<unknown, T>,
  nameOf: (item: T) => string,
): readonly T[] {
  const found = known.get(map)
  if (found !== undefined) return found
  const made = [...map.values()].sort((a, b) => compareNames(nameOf(a), nameOf(b)))
  known.set(map, made)
  return made
}
