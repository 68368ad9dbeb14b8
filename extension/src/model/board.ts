import type { ChangeEvent, Incident, Node, Slice, Sliver } from '@community-lab/contract'

/** All that the panel shows of a testbed, at one moment. Plain data; {@link applyChange} makes the next one. */
export interface Board {
  readonly nodes: ReadonlyMap<number, Node>
  readonly slices: ReadonlyMap<number, Slice>
  readonly slivers: ReadonlyMap<string, Sliver>
  /** The newest first, at most {@link maxIncidents}. */
  readonly incidents: readonly TimedIncident[]
  /** The last change that is in here. */
  readonly lastEventId: number
  /** Where its stream goes on, in the server's words: the number alone does not tell that the server was restored. */
  readonly cursor: string
}

/** An incident and when it was reported (RFC 3339). */
export interface TimedIncident extends Incident {
  readonly time: string
}

/** How many incidents a board keeps. */
export const maxIncidents = 20

/** Make the board of lists that were read after the change `lastEventId`. */
export function createBoard(
  lists: {
    readonly nodes: readonly Node[]
    readonly slices: readonly Slice[]
    readonly slivers: readonly Sliver[]
  },
  lastEventId: number,
  cursor = String(lastEventId),
): Board {
  return {
    nodes: new Map(lists.nodes.map((node) => [node.id, node])),
    slices: new Map(lists.slices.map((slice) => [slice.id, slice])),
    slivers: new Map(lists.slivers.map((sliver) => [sliver.id, sliver])),
    incidents: [],
    lastEventId,
    cursor,
  }
}

/** Apply one change. A change that is in the board already (its id is not above the board's last) changes nothing. */
export function applyChange(board: Board, change: ChangeEvent, cursor = String(change.id)): Board {
  if (change.id <= board.lastEventId) return board
  const next = { ...board, lastEventId: change.id, cursor }
  switch (change.kind) {
    case 'node':
      return { ...next, nodes: withObject(board.nodes, Number(change.object_id), change) }
    case 'slice':
      return { ...next, slices: withObject(board.slices, Number(change.object_id), change) }
    case 'sliver':
      return { ...next, slivers: withObject(board.slivers, change.object_id, change) }
    case 'incident':
      return { ...next, incidents: withIncident(board.incidents, change) }
    case 'template':
      return next
  }
}

/** The slivers of a slice, in the order of their nodes' names. */
export function sliversOf(board: Board, sliceId: number): readonly Sliver[] {
  return [...board.slivers.values()]
    .filter((sliver) => sliver.slice.id === sliceId)
    .sort((a, b) => compareNames(a.node.name, b.node.name))
}

/** How many slivers a node carries. */
export function countSlivers(board: Board, nodeId: number): number {
  return [...board.slivers.values()].filter((sliver) => sliver.node.id === nodeId).length
}

/** Named things in the order a person expects: n2 before n10. */
export function sortByName<T extends { readonly name: string }>(things: Iterable<T>): readonly T[] {
  return [...things].sort((a, b) => compareNames(a.name, b.name))
}

function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function withObject<Id, T>(map: ReadonlyMap<Id, T>, id: Id, change: ChangeEvent): Map<Id, T> {
  const next = new Map(map)
  // The kind of a change says which schema its object has (contract: ChangeEvent).
  if (change.object === null) next.delete(id)
  else next.set(id, change.object as T)
  return next
}

function withIncident(
  incidents: readonly TimedIncident[],
  change: ChangeEvent,
): readonly TimedIncident[] {
  if (change.object === null) return incidents
  const incident = { ...(change.object as Incident), time: change.time }
  return [incident, ...incidents].slice(0, maxIncidents)
}
