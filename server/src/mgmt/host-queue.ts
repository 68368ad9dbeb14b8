/** The names of the tinc hosts that have changed and were not served yet. */
export interface HostQueue {
  add(names: readonly string[]): void
  /** Add all hosts, because any may have changed. */
  addAll(): void
  /**
   * Serve the hosts in the queue, or all hosts (undefined); nothing if the queue is empty. After a failure it is not known what was done, so all hosts are served the next
   * time.
   */
  serve(work: (names: readonly string[] | undefined) => Promise<void>): Promise<void>
}

/** Make a queue. The first time, all hosts are served. */
export function createHostQueue(): HostQueue {
  let isAll = true
  const changed = new Set<string>()
  return {
    add(names) {
      for (const name of names) changed.add(name)
    },
    addAll: () => void (isAll = true),
    async serve(work) {
      if (!isAll && changed.size === 0) return
      const names = isAll ? undefined : [...changed]
      isAll = false
      changed.clear()
      try {
        await work(names)
      } catch (error) {
        isAll = true
        throw error
      }
    },
  }
}
