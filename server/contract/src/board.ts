import type { ChangeEvent, Incident } from './schema/event.ts'
import type { Node } from './schema/node.ts'
import type { Slice } from './schema/slice.ts'
import type { Sliver } from './schema/sliver.ts'

/**
 * A board: the state of a testbed at one moment, for programs that show it. It is plain data. {@link applyChanges} makes the next board, in which unchanged
 * parts are the same objects.
 */
export interface Board {
  readonly nodes: ReadonlyMap<number, Node>
  readonly slices: ReadonlyMap<number, Slice>
  /** By the id of the slice, then by the id of the sliver. */
  readonly slivers: ReadonlyMap<number, ReadonlyMap<string, Sliver>>
  /** The number of slivers on each node, by its id. */
  readonly sliverCounts: ReadonlyMap<number, number>
  /** The newest first, at most {@link maxIncidents}. */
  readonly incidents: readonly TimedIncident[]
  /** The id of the last change that the board contains. */
  readonly lastEventId: number
  /** The cursor from which its event stream continues, as the server wrote it. The id alone would not show that the server was restored from a backup. */
  readonly cursor: string
}

/** An incident and when it was reported (RFC 3339). */
export interface TimedIncident extends Incident {
  readonly time: string
}

/** How many incidents a board keeps. */
export const maxIncidents = 20

/** A change from a server that may be newer than its reader. Its kind and its object may be unknown. */
export type AnyChange = Pick<ChangeEvent, 'id' | 'time'> & {
  readonly kind: string
  readonly object_id: string
  readonly object: unknown
  /** The cursor from which the stream continues after it, as the server wrote it; default: its id. */
  readonly cursor?: string | undefined
}

/** Make a board from lists that were read after the change `lastEventId`. An object that does not have the form of its kind is left out. */
export function createBoard(
  lists: {
    readonly nodes: readonly unknown[]
    readonly slices: readonly unknown[]
    readonly slivers: readonly unknown[]
  },
  lastEventId: number,
  cursor = String(lastEventId),
): Board {
  const draft = new Draft(emptyBoard)
  for (const node of lists.nodes) draft.setNode(maybeNode(node))
  for (const slice of lists.slices) draft.setSlice(maybeSlice(slice))
  for (const sliver of lists.slivers) draft.setSliver(maybeSliver(sliver))
  return draft.finish(lastEventId, cursor)
}

/**
 * Apply changes in order. A change that the board contains already (its id is not above the board's last) changes nothing. Neither does one of an unknown kind,
 * or with an object that cannot be read, because the server may be newer than its reader.
 */
export function applyChanges(board: Board, changes: readonly AnyChange[]): Board {
  const draft = new Draft(board)
  let last = board.lastEventId
  let { cursor } = board
  for (const change of changes) {
    if (change.id <= last) continue
    last = change.id
    cursor = change.cursor ?? String(change.id)
    draft.apply(change)
  }
  return last === board.lastEventId ? board : draft.finish(last, cursor)
}

const emptyBoard: Board = {
  nodes: new Map(),
  slices: new Map(),
  slivers: new Map(),
  sliverCounts: new Map(),
  incidents: [],
  lastEventId: 0,
  cursor: '0',
}

/** The next board, while changes are applied to it. Each map is copied once, before its first change. */
class Draft {
  readonly #nodes: Copied<number, Node>
  readonly #slices: Copied<number, Slice>
  readonly #slivers: Copied<number, ReadonlyMap<string, Sliver>>
  readonly #sliverCounts: Copied<number, number>
  /** The maps of slices that were copied already. */
  readonly #ownSlivers = new Map<number, Map<string, Sliver>>()
  #incidents: readonly TimedIncident[]

  constructor(board: Board) {
    this.#nodes = new Copied(board.nodes)
    this.#slices = new Copied(board.slices)
    this.#slivers = new Copied(board.slivers)
    this.#sliverCounts = new Copied(board.sliverCounts)
    this.#incidents = board.incidents
  }

  apply({ kind, object_id: id, object, time }: AnyChange): void {
    if (kind === 'node') {
      if (object === null) this.#nodes.delete(Number(id))
      else this.setNode(maybeNode(object))
    } else if (kind === 'slice') {
      if (object === null) this.#slices.delete(Number(id))
      else this.setSlice(maybeSlice(object))
    } else if (kind === 'sliver') {
      if (object === null) this.#deleteSliver(id)
      else this.setSliver(maybeSliver(object))
    } else if (kind === 'incident') this.#addIncident(object, time)
  }

  setNode(node: Node | null): void {
    if (node !== null) this.#nodes.set(node.id, node)
  }

  setSlice(slice: Slice | null): void {
    if (slice !== null) this.#slices.set(slice.id, slice)
  }

  setSliver(sliver: Sliver | null): void {
    if (sliver === null) return
    const slivers = this.#sliversOf(sliver.slice.id)
    if (!slivers.has(sliver.id)) this.#count(sliver.node.id, 1)
    slivers.set(sliver.id, sliver)
  }

  finish(lastEventId: number, cursor: string): Board {
    return {
      nodes: this.#nodes.map,
      slices: this.#slices.map,
      slivers: this.#slivers.map,
      sliverCounts: this.#sliverCounts.map,
      incidents: this.#incidents,
      lastEventId,
      cursor,
    }
  }

  #deleteSliver(id: string): void {
    const sliceId = Number(id.split('@')[0])
    const known = this.#slivers.map.get(sliceId)?.get(id)
    if (known === undefined) return
    const slivers = this.#sliversOf(sliceId)
    slivers.delete(id)
    if (slivers.size === 0) {
      this.#slivers.delete(sliceId)
      this.#ownSlivers.delete(sliceId)
    }
    this.#count(known.node.id, -1)
  }

  #sliversOf(sliceId: number): Map<string, Sliver> {
    const own = this.#ownSlivers.get(sliceId)
    if (own !== undefined) return own
    const copy = new Map(this.#slivers.map.get(sliceId))
    this.#ownSlivers.set(sliceId, copy)
    this.#slivers.set(sliceId, copy)
    return copy
  }

  #count(nodeId: number, change: number): void {
    this.#sliverCounts.set(nodeId, (this.#sliverCounts.map.get(nodeId) ?? 0) + change)
  }

  #addIncident(object: unknown, time: string): void {
    if (!isRecord(object) || typeof object['message'] !== 'string') return
    // Only its message is read. Its code may be unknown here.
    const incident = { ...(object as unknown as Incident), time }
    this.#incidents = [incident, ...this.#incidents].slice(0, maxIncidents)
  }
}

/** A map that is copied before its first change. */
class Copied<Id, T> {
  #map: ReadonlyMap<Id, T>
  #copy: Map<Id, T> | null = null

  constructor(map: ReadonlyMap<Id, T>) {
    this.#map = map
  }

  get map(): ReadonlyMap<Id, T> {
    return this.#map
  }

  set(id: Id, value: T): void {
    this.#own().set(id, value)
  }

  delete(id: Id): void {
    if (this.#map.has(id)) this.#own().delete(id)
  }

  #own(): Map<Id, T> {
    this.#copy ??= new Map(this.#map)
    this.#map = this.#copy
    return this.#copy
  }
}

// Check only the members that readers of a board use. A newer server may add members and states.

function maybeNode(object: unknown): Node | null {
  if (!isRecord(object) || typeof object['id'] !== 'number' || !isNamed(object)) return null
  return withErrors(object) as unknown as Node
}

function maybeSlice(object: unknown): Slice | null {
  if (!isRecord(object) || typeof object['id'] !== 'number' || !isNamed(object)) return null
  return object as unknown as Slice
}

function maybeSliver(object: unknown): Sliver | null {
  if (!isRecord(object) || typeof object['id'] !== 'string') return null
  const { slice, node } = object
  const isPlaced =
    isRecord(slice) && typeof slice['id'] === 'number' && isRecord(node) && isNamed(node)
  return isPlaced && typeof node['id'] === 'number'
    ? (withErrors(object) as unknown as Sliver)
    : null
}

function withErrors(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Array.isArray(object['errors']) ? object : { ...object, errors: [] }
}

function isNamed(object: Readonly<Record<string, unknown>>): boolean {
  return typeof object['name'] === 'string'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
