/** Nodes whose tinc hosts have changed, until something has been done about that. */
export interface HostQueue {
  add(nodeIds: readonly number[]): void
  /** Any host may have changed. */
  addAll(): void
  /**
   * Serve what has come: these nodes, or all (undefined). Nothing is done when nothing has come. After a failure it is not known what was done, so that all is
   * served the next time.
   */
  serve(work: (nodeIds: readonly number[] | undefined) => Promise<void>): Promise<void>
}

/** Make a queue. The first time, all is served. */
export function createHostQueue(): HostQueue {
  let isAll = true
  const changed = new Set<number>()
  return {
    add(nodeIds) {
      for (const id of nodeIds) changed.add(id)
    },
    addAll: () => void (isAll = true),
    async serve(work) {
      if (!isAll && changed.size === 0) return
      const nodeIds = isAll ? undefined : [...changed]
      isAll = false
      changed.clear()
      try {
        await work(nodeIds)
      } catch (error) {
        isAll = true
        throw error
      }
    },
  }
}
