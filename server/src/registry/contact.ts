/** When each node was last heard of. It is kept in memory, for it changes far too often to be written down each time. */
export interface ContactBook {
  /** A node was heard of; `connected` false: its connection has gone. */
  note(nodeId: number, connected: boolean): void
  /** Begin to wait for nodes of which nothing was heard since the server's start. */
  expect(nodeIds: readonly number[]): void
  /** Milliseconds since the epoch; null: not since the server's start. */
  lastSeenMs(nodeId: number): number | null
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
  return {
    note(nodeId, connected) {
      // Losing a connection is no sign of life: the last one before it counts.
      if (!connected) return
      seen.set(nodeId, options.dateMs())
      expected.set(nodeId, options.nowMs())
    },
    expect(nodeIds) {
      for (const id of nodeIds) if (!expected.has(id)) expected.set(id, options.nowMs())
    },
    lastSeenMs: (nodeId) => seen.get(nodeId) ?? null,
    takeSilent() {
      const silent = [...expected]
        .filter(([, atMs]) => options.nowMs() - atMs > options.silenceMs)
        .map(([id]) => id)
      for (const id of silent) expected.delete(id)
      return silent
    },
  }
}
