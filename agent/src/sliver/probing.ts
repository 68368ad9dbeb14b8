import type { FoundPlatform } from './platform.ts'

/** Options of {@link createProbing}. */
export interface ProbingOptions {
  /** Find out what slivers can be made with, given what was found before. */
  readonly find: (before: FoundPlatform | undefined) => Promise<FoundPlatform>
  readonly nowMs: () => number
}

/** Knows what slivers can be made with on this host, and finds it out again from time to time. */
export interface Probing {
  readonly found: FoundPlatform
  /** Find it out again if it is time to. Returns whether something else was found than before. */
  refreshIfDue(): Promise<boolean>
}

/** How long a finding holds. What works is looked at seldom: it means running a container. What does not is looked at often: somebody may be mending it. */
const holdsMs = { good: 600_000, bad: 30_000 }

/** Find out what slivers can be made with, for the first time. */
export async function createProbing({ find, nowMs }: ProbingOptions): Promise<Probing> {
  let found = await find(undefined)
  /** The most that was found on this host so far. A later finding that lacks some of it is told, and no sliver is made with less. */
  let best = found
  let atMs = nowMs()

  return {
    get found() {
      return found
    },
    async refreshIfDue() {
      if (nowMs() - atMs < (found.platform === null ? holdsMs.bad : holdsMs.good)) return false
      const next = await find(best)
      atMs = nowMs()
      const isOther = JSON.stringify(next.capabilities) !== JSON.stringify(found.capabilities)
      found = next
      if (next.platform !== null) best = next
      return isOther
    },
  }
}
