import { readFile, statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import process from 'node:process'

const mebibyte = 2 ** 20

/** The resources of a host that nodes promise to slivers, in MiB, MiB and processes. */
export interface Host {
  readonly memoryMiB: number
  readonly diskMiB: number
  readonly processes: number
}

/** Read the resources of this host: its memory (or its cgroup's limit), the disk space at a folder, and its process limit. */
export async function readHost(folder: string): Promise<Host> {
  const [disk, pidMax] = await Promise.all([
    statfs(folder),
    readFile('/proc/sys/kernel/pid_max', 'utf8'),
  ])
  // 0 when no cgroup limits this process. More than the host's memory when the limit has no effect.
  const limit = process.constrainedMemory()
  return {
    memoryMiB: Math.floor((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / mebibyte),
    diskMiB: Math.floor((disk.blocks * disk.bsize) / mebibyte),
    processes: Number(pidMax.trim()),
  }
}

/**
 * Return the share of each of `count` nodes on the same host, as the agent's setting. All shares together exist on the host.
 *
 * CPU is not divided: slivers share it, and no sliver is promised a part.
 */
export function shareOf(host: Host, count: number): string {
  const share = (total: number) => Math.floor(total / count)
  return `memory=${share(host.memoryMiB)},disk=${share(host.diskMiB)},processes=${share(host.processes)}`
}
