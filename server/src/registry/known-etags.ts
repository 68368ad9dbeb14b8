/** The ETags of nodes' targets and last reports, in memory. So the poll of a node costs no query while nothing has changed. */
export interface KnownEtags {
  /** Return the ETag of a node's target; null when it must be read. */
  target(nodeId: number): string | null
  /** Read a node's target, and remember its ETag. */
  readTarget<T>(nodeId: number, read: () => Promise<Tagged<T>>): Promise<Tagged<T>>
  /** Forget the ETag of a node's target, which may have changed. */
  forgetTarget(nodeId: number): void
  /** Note the ETag of a node's last report. */
  noteReport(nodeId: number, etag: string): void
  /** The ETag of a node's last report; null: it has to be read. */
  report(nodeId: number): string | null
}

/** A value and its ETag. */
export interface Tagged<T> {
  readonly etag: string
  readonly value: T
}

/** Options of {@link createKnownEtags}. */
export interface KnownEtagsOptions {
  /** How long an ETag is valid, in milliseconds. A change by another program in the database is noticed after that. */
  readonly maxAgeMs: number
  /** A monotonic clock, in milliseconds. */
  readonly nowMs: () => number
}

interface Known {
  readonly etag: string
  readonly atMs: number
}

/** Create an empty store of ETags. */
export function createKnownEtags({ maxAgeMs, nowMs }: KnownEtagsOptions): KnownEtags {
  const targets = new Map<number, Known>()
  const reports = new Map<number, Known>()
  const changes = new Map<number, number>()
  const isFresh = (known: Known | undefined): known is Known =>
    known !== undefined && nowMs() - known.atMs < maxAgeMs

  return {
    target(nodeId) {
      const known = targets.get(nodeId)
      return isFresh(known) ? known.etag : null
    },
    async readTarget(nodeId, read) {
      const before = changes.get(nodeId) ?? 0
      const found = await read()
      // If the target has changed meanwhile, the old or the new one was read.
      if ((changes.get(nodeId) ?? 0) === before)
        targets.set(nodeId, { etag: found.etag, atMs: nowMs() })
      return found
    },
    forgetTarget(nodeId) {
      changes.set(nodeId, (changes.get(nodeId) ?? 0) + 1)
      targets.delete(nodeId)
    },
    noteReport: (nodeId, etag) => void reports.set(nodeId, { etag, atMs: nowMs() }),
    report(nodeId) {
      const known = reports.get(nodeId)
      return isFresh(known) ? known.etag : null
    },
  }
}
