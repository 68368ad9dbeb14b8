import type { FoundPlatform } from './platform.ts'

/** Options of {@link createProbing}. */
export interface ProbingOptions {
  /** Probe the host. The argument is the best earlier result. */
  readonly find: (before: FoundPlatform | undefined) => Promise<FoundPlatform>
  readonly nowMs: () => number
}

/** Probes at intervals what slivers can be made with on this host. */
export interface Probing {
  readonly found: FoundPlatform
  /** Probe again if the last result is too old. Returns whether the capabilities have changed. */
  refreshIfDue(): Promise<boolean>
}

/** How long the result of a probe is used, in milliseconds. A probe runs a container, so it is seldom repeated while slivers can be made. Otherwise it is repeated often, because somebody may be repairing the host. */
const holdsMs = { good: 600_000, bad: 30_000 }

/** Probe for the first time. */
export async function createProbing({ find, nowMs }: ProbingOptions): Promise<Probing> {
  let found = await find(undefined)
  /** The best result on this host so far. When a later probe finds less, that is reported, and no sliver is made with less. */
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
