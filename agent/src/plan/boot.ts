import type { SliverStatus } from './observed.ts'

/**
 * The last `boot_sn` that this node has acted on. A reboot is recorded here, on the disk, before anything is stopped, together with each running sliver and its
 * current life. A life is the time from a start to the end of the processes. A sliver that still runs in that life is stopped; a sliver in a later life is left
 * alone. So each reboot happens once, even if the agent is killed at any moment.
 */
export interface Boot {
  /** The last `boot_sn` that the node has acted on. */
  readonly bootSn: number
  /** The lives of the slivers that ran at that time, by the sliver's id. */
  readonly lives: Readonly<Record<string, string>>
}

/** Return an identifier of a running sliver's life, which differs after each start. Returns null when the sliver does not run. */
function lifeOf(sliver: SliverStatus): string | null {
  return sliver.stage === 'started' ? `${sliver.pid ?? 0} ${sliver.startedOn ?? ''}` : null
}

/**
 * Record a reboot that restarts the slivers that run now. A smaller number is recorded but restarts nothing: it comes from a server that was restored from a
 * backup, and nobody has requested a reboot there.
 */
export function noteBoot(before: Boot, bootSn: number, slivers: readonly SliverStatus[]): Boot {
  if (bootSn < before.bootSn) return { ...before, bootSn }
  const lives = slivers.flatMap((sliver) => {
    const life = lifeOf(sliver)
    return life === null ? [] : [[sliver.id, life] as const]
  })
  return { bootSn, lives: Object.fromEntries(lives) }
}

/** Tell whether a sliver runs since before the last reboot. */
export function awaitsReboot(boot: Boot, sliver: SliverStatus): boolean {
  const life = lifeOf(sliver)
  return life !== null && boot.lives[sliver.id] === life
}
