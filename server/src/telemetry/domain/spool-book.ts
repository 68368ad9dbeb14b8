/** A spool of a node. */
interface Spool {
  readonly nodeId: number
  readonly spool: string
}

/** The spools of nodes, and the last committed record of each. Of each node, those that were committed last are remembered. */
export interface SpoolBook {
  /** Return the last committed record of a spool; 0: none is known. */
  committedSeq(of: Spool): number
  /** Note what is committed of a spool. The oldest one of its node may be forgotten for it. */
  note(of: Spool, committedSeq: number): void
  /** Return the spools that were forgotten since the last call. */
  takeForgotten(): readonly Spool[]
}

/**
 * Make a book that remembers so many spools of each node. A node has one at a time, and begins another after its disk was damaged or restored. One that names another spool with each
 * message must not fill the memory of the server.
 */
export function createSpoolBook(mostOfNode: number): SpoolBook {
  // Of each node in the order of commits.
  const nodes = new Map<number, Map<string, number>>()
  let forgotten: Spool[] = []
  return {
    committedSeq: ({ nodeId, spool }) => nodes.get(nodeId)?.get(spool) ?? 0,
    note({ nodeId, spool }, committedSeq) {
      const spools = nodes.get(nodeId) ?? new Map<string, number>()
      nodes.set(nodeId, spools)
      spools.delete(spool)
      spools.set(spool, committedSeq)
      const [oldest] = spools.keys()
      if (spools.size <= mostOfNode || oldest === undefined) return
      spools.delete(oldest)
      forgotten.push({ nodeId, spool: oldest })
    },
    takeForgotten() {
      // One that came again is remembered.
      const gone = forgotten.filter(({ nodeId, spool }) => nodes.get(nodeId)?.has(spool) !== true)
      forgotten = []
      return gone
    },
  }
}
