import { readFile, statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import process from 'node:process'

const mebibyte = 2 ** 20

/** What a host has that nodes promise to slivers, in MiB, MiB and processes. */
export interface Host {
  readonly memoryMiB: number
  readonly diskMiB: number
  readonly processes: number
}

/** Read what this host has: its memory (or its cgroup's limit), the file system of a folder, its process limit. */
export async function readHost(folder: string): Promise<Host> {
  const [disk, pidMax] = await Promise.all([
    statfs(folder),
    readFile('/proc/sys/kernel/pid_max', 'utf8'),
  ])
  // 0 when no cgroup limits this process; more than there is when one does so in name only.
  const limit = process.constrainedMemory()
  return {
    memoryMiB: Math.floor((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / mebibyte),
    diskMiB: Math.floor((disk.blocks * disk.bsize) / mebibyte),
    processes: Number(pidMax.trim()),
  }
}

/**
 * What one of `count` nodes lends of the host that they share, as the agent's setting: what all promise together is there.
 * CPU is not divided: slivers share it, and nobody is promised a part.
 */
export function shareOf(host: Host, count: number): string {
  const share = (total: number) => Math.floor(total / count)
  return `memory=${share(host.memoryMiB)},disk=${share(host.diskMiB)},processes=${share(host.processes)}`
}
