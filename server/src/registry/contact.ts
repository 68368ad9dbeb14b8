/** When each node was last heard of. It is kept in memory, for it changes far too often to be written down each time. */
export interface ContactBook {
  /** A node was heard of. Returns whether nothing was for so long that it may have been taken for offline. */
  note(nodeId: number): boolean
  /** Undo the last `note` of a node because it could not be stored: the next `note` returns true again. */
  forget(nodeId: number): void
  /** Tell whether the node is waited for: it was heard of, and has not been silent since. */
  isExpected(nodeId: number): boolean
  /** Begin to wait for nodes of which nothing was heard since the server's start. */
  expect(nodeIds: readonly number[]): void
  /** Milliseconds since the epoch; null: not since the server's start. */
  lastSeenMs(nodeId: number): number | null
  /** When the nodes were last heard of of which that is not written down yet, in milliseconds since the epoch. */
  unwritten(): ReadonlyMap<number, number>
  /** This was written down. */
  noteWritten(seenMs: ReadonlyMap<number, number>): void
  /** The nodes that were not heard of for longer than allowed, each told once. */
  takeSilent(): readonly number[]
}

/** Options of {@link createContactBook}. */
export interface ContactOptions {
  /** How long a node may be silent, in milliseconds. */
  readonly silenceMs: number
  /** Milliseconds that only ever grow: that the host's clock is set makes no node silent. */
  readonly nowMs: () => number
  /** Milliseconds since the epoch. */
  readonly dateMs: () => number
}

/** Keep the book. */
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
