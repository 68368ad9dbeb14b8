/** The last contacts of all nodes. They are kept in memory, because they change too often to be stored each time. */
export interface ContactBook {
  /** Note contact of a node. Returns whether no contact was expected before, so that the node may be marked as offline. */
  note(nodeId: number): boolean
  /** Note that the agent of a node works: it polls or reports. Returns whether it was reported as stuck before, so that the node may be marked as crashed. */
  noteWork(nodeId: number): boolean
  /** Undo the last `note` of a node because it could not be stored. The next `note` returns true again. */
  forget(nodeId: number): void
  /** Undo the last `noteWork` of a node that was reported as stuck. The next `noteWork` returns true again. */
  forgetWork(nodeId: number): void
  /** Tell whether the node is expected: it made contact, and has not been reported as silent since. */
  isExpected(nodeId: number): boolean
  /** Tell whether the agent of a node works: it has not been reported as stuck since it last did. */
  isWorking(nodeId: number): boolean
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
  /** Return the expected nodes whose agents have neither polled nor reported for too long. They are not returned again until they have. */
  takeStuck(): readonly number[]
  /** Return these nodes again with the next {@link takeStuck}, because they could not be marked as crashed. */
  expectWork(nodeIds: readonly number[]): void
}

/** Options of {@link createContactBook}. */
export interface ContactOptions {
  /** The longest silence of a node, in milliseconds. */
  readonly silenceMs: number
  /** The longest time of a connected node without a poll or report, in milliseconds. */
  readonly stuckMs: number
  /** A monotonic clock, in milliseconds. Setting the host's clock makes no node silent. */
  readonly nowMs: () => number
  /** The host's clock, in milliseconds since the epoch. */
  readonly dateMs: () => number
}

/** Make an empty contact book. */
export function createContactBook(options: ContactOptions): ContactBook {
  const seen = new Map<number, number>()
  const expected = new Map<number, number>()
  const worked = new Map<number, number>()
  const stuck = new Set<number>()
  const written = new Map<number, number>()

  function expectFrom(nodeId: number, nowMs: number): void {
    // A node that is connected again has the whole time to poll.
    if (!expected.has(nodeId)) worked.set(nodeId, nowMs)
    expected.set(nodeId, nowMs)
  }

  return {
    note(nodeId) {
      const isNew = !expected.has(nodeId)
      seen.set(nodeId, options.dateMs())
      expectFrom(nodeId, options.nowMs())
      return isNew
    },
    noteWork(nodeId) {
      worked.set(nodeId, options.nowMs())
      return stuck.delete(nodeId)
    },
    forget(nodeId) {
      expected.delete(nodeId)
    },
    forgetWork: (nodeId) => void stuck.add(nodeId),
    isExpected: (nodeId) => expected.has(nodeId),
    isWorking: (nodeId) => !stuck.has(nodeId),
    expect(nodeIds) {
      for (const id of nodeIds) if (!expected.has(id)) expectFrom(id, options.nowMs())
    },
    lastSeenMs: (nodeId) => seen.get(nodeId) ?? null,
    unwritten: () => new Map([...seen].filter(([id, atMs]) => written.get(id) !== atMs)),
    noteWritten(seenMs) {
      for (const [id, atMs] of seenMs) written.set(id, atMs)
    },
    takeSilent() {
      const silent = olderThan(expected, options.nowMs() - options.silenceMs)
      for (const id of silent) expected.delete(id)
      return silent
    },
    takeStuck() {
      const found = olderThan(worked, options.nowMs() - options.stuckMs)
      const connected = found.filter((id) => expected.has(id) && !stuck.has(id))
      for (const id of connected) stuck.add(id)
      return connected
    },
    expectWork(nodeIds) {
      for (const id of nodeIds) stuck.delete(id)
    },
  }
}

function olderThan(times: ReadonlyMap<number, number>, limitMs: number): number[] {
  return [...times].filter(([, atMs]) => atMs < limitMs).map(([id]) => id)
}
