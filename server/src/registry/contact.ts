/** The time of each node's last contact. It is kept in memory, because it changes too often to be stored each time. */
export interface ContactBook {
  /** Note contact of a node. Returns whether no contact was expected before, so that the node may be marked as offline. */
  note(nodeId: number): boolean
  /** Undo the last `note` of a node because it could not be stored. The next `note` returns true again. */
  forget(nodeId: number): void
  /** Tell whether the node is expected: it made contact, and has not been reported as silent since. */
  isExpected(nodeId: number): boolean
  /** Expect nodes from now on that have made no contact since the start of the server. */
  expect(nodeIds: readonly number[]): void
  /** Return the time of the node's last contact, in milliseconds since the epoch; null: none since the start of the server. */
  lastSeenMs(nodeId: number): number | null
  /** The times that are not stored in the database yet, by node, in milliseconds since the epoch. */
  unwritten(): ReadonlyMap<number, number>
  /** Note that these times were stored. */
  noteWritten(seenMs: ReadonlyMap<number, number>): void
  /** Return the expected nodes that were silent for too long. They are not expected any more. */
  takeSilent(): readonly number[]
}

/** Options of {@link createContactBook}. */
export interface ContactOptions {
  /** The longest silence of a node, in milliseconds. */
  readonly silenceMs: number
  /** A monotonic clock, in milliseconds. Setting the host's clock makes no node silent. */
  readonly nowMs: () => number
  /** The host's clock, in milliseconds since the epoch. */
  readonly dateMs: () => number
}

/** Make an empty contact book. */
export function createContactBook(options: ContactOptions): ContactBook {
  const seen = new Map<number, number>()
  const expected = new Map<number, number>()
  const written = new Map<number, number>()
  return {
    note(nodeId) {
      const isNew = !expected.has(nodeId)
      seen.set(nodeId, options.dateMs())
      expected.set(nodeId, options.nowMs())
      return isNew
    },
    forget(nodeId) {
      expected.delete(nodeId)
    },
    isExpected: (nodeId) => expected.has(nodeId),
    expect(nodeIds) {
      for (const id of nodeIds) if (!expected.has(id)) expected.set(id, options.nowMs())
    },
    lastSeenMs: (nodeId) => seen.get(nodeId) ?? null,
    unwritten: () => new Map([...seen].filter(([id, atMs]) => written.get(id) !== atMs)),
    noteWritten(seenMs) {
      for (const [id, atMs] of seenMs) written.set(id, atMs)
    },
    takeSilent() {
      const silent = [...expected]
        .filter(([, atMs]) => options.nowMs() - atMs > options.silenceMs)
        .map(([id]) => id)
      for (const id of silent) expected.delete(id)
      return silent
    },
  }
}
