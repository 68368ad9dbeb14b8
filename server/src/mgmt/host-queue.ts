/** The nodes whose tinc hosts have changed and that were not served yet. */
export interface HostQueue {
  add(nodeIds: readonly number[]): void
  /** Add all nodes, because any host may have changed. */
  addAll(): void
  /**
   * Serve the nodes in the queue, or all nodes (undefined); nothing if the queue is empty. After a failure it is not known what was done, so all nodes are served the next
   * time.
   */
  serve(work: (nodeIds: readonly number[] | undefined) => Promise<void>): Promise<void>
}

/** Make a queue. The first time, all nodes are served. */
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
