import type { SliverStatus } from './observed.ts'

/**
 * How far this node has acted upon its `boot_sn`. A reboot is noted here, on disk, before anything is stopped, together with each sliver that ran then and
 * which of its lives that was. A life is the time from a start to the end of the processes. A sliver that still runs in that life is stopped; one in a later
 * life is left alone. So each reboot happens once, at whatever moment the agent is killed.
 */
export interface Boot {
  /** The last `boot_sn` acted upon. */
  readonly bootSn: number
  /** The life of each sliver that ran when it was noted, by the sliver's id. */
  readonly lives: Readonly<Record<string, string>>
}

/** Name the life of a running sliver: another after each start. Returns null when it does not run. */
function lifeOf(sliver: SliverStatus): string | null {
  return sliver.stage === 'started' ? `${sliver.pid ?? 0} ${sliver.startedOn ?? ''}` : null
}

/**
 * Note a reboot over the slivers that run now. A number that went down is noted alone and restarts nothing: it comes from a server that was restored from a
 * backup, where nobody asked for a reboot.
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
