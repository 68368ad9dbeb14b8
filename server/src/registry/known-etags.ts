/** What nodes have and have sent, as ETags in memory, so that the poll of a node with which nothing has changed costs no query. */
export interface KnownEtags {
  /** The ETag of a node's target: the one in memory, or that of a new reading. */
  targetOf(nodeId: number, read: () => Promise<string>): Promise<string>
  /** What is wanted of a node may have changed. */
  forgetTarget(nodeId: number): void
  /** A node's report was taken in. */
  noteReport(nodeId: number, etag: string): void
  /** Whether this is the last report that was taken in of a node. */
  isReport(nodeId: number, etag: string): boolean
}

/** Options of {@link createKnownEtags}. */
export interface KnownEtagsOptions {
  /** How long an ETag is believed, in milliseconds. What somebody else has changed in the database is noticed after that. */
  readonly maxAgeMs: number
  /** Milliseconds that only ever grow. */
  readonly nowMs: () => number
}

interface Known {
  readonly etag: string
  readonly atMs: number
}

/** Begin with nothing. */
export function createKnownEtags({ maxAgeMs, nowMs }: KnownEtagsOptions): KnownEtags {
  const targets = new Map<number, Known>()
  const reports = new Map<number, Known>()
  let changes = 0
  const isFresh = (known: Known | undefined): known is Known =>
    known !== undefined && nowMs() - known.atMs < maxAgeMs

  return {
    async targetOf(nodeId, read) {
      const known = targets.get(nodeId)
      if (isFresh(known)) return known.etag
      const before = changes
      const etag = await read()
      // After a change meanwhile it is not known which of both was read.
      if (changes === before) targets.set(nodeId, { etag, atMs: nowMs() })
      return etag
    },
    forgetTarget(nodeId) {
      changes++
      targets.delete(nodeId)
    },
    noteReport: (nodeId, etag) => void reports.set(nodeId, { etag, atMs: nowMs() }),
    isReport(nodeId, etag) {
      const known = reports.get(nodeId)
      return isFresh(known) && known.etag === etag
    },
  }
}
