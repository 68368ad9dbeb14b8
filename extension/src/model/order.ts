import type { Board, Node, Slice, Sliver } from '@community-lab/contract'

const collator = new Intl.Collator('en', { numeric: true })

/** Names in the order a person expects: n2 before n10. */
function compareNames(a: string, b: string): number {
  return collator.compare(a, b)
}

// A board's map is replaced, never changed, when something in it changes. So each map is sorted once, and the result is kept with it.
const nodes = new WeakMap<object, readonly Node[]>()
const slices = new WeakMap<object, readonly Slice[]>()
const slivers = new WeakMap<object, readonly Sliver[]>()
const none: ReadonlyMap<string, Sliver> = new Map()

/** The nodes by their names. */
export function nodesOf(board: Board): readonly Node[] {
  return ordered(nodes, board.nodes, ({ name }) => name)
}

/** The slices by their names. */
export function slicesOf(board: Board): readonly Slice[] {
  return ordered(slices, board.slices, ({ name }) => name)
}

/** The slivers of a slice by their nodes' names. */
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
