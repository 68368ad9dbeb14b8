/** The rate at which a node may send samples. */
export interface NodeRate {
  readonly bytesPerHour: number
  /** The bytes that may come at once, after a quiet time. */
  readonly burstBytes: number
}

/** Slows down nodes that send too much. Nothing is refused: samples stay longer in the node's spool. */
export interface NodeRates {
  /** Count bytes of a node. Returns the time for which its stream must be paused, in milliseconds; 0: not at all. */
  take(nodeId: number, bytes: number): number
}

const hourMs = 3_600_000

/** Count the bytes of nodes. `nowMs`: a monotonic clock, in milliseconds. */
export function createNodeRates(
  { bytesPerHour, burstBytes }: NodeRate,
  nowMs: () => number,
): NodeRates {
  // A debt is the number of bytes that a node has sent, minus what its rate has paid off since then. Each node that ever sent something has an entry.
  const debts = new Map<number, { bytes: number; atMs: number }>()
  const bytesPerMs = bytesPerHour / hourMs
  return {
    take(nodeId, bytes) {
      const now = nowMs()
      const debt = debts.get(nodeId) ?? { bytes: 0, atMs: now }
      debt.bytes = Math.max(0, debt.bytes - (now - debt.atMs) * bytesPerMs) + bytes
      debt.atMs = now
      debts.set(nodeId, debt)
      return Math.max(0, Math.ceil((debt.bytes - burstBytes) / bytesPerMs))
    },
  }
}
