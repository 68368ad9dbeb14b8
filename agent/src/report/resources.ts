import { readFile, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import {
  least,
  lentAmount,
  resourceDefaults,
  type LentAmounts,
  type ResourceName,
} from '@community-lab/contract'
import type { ReportedResource } from './report.ts'

/** The resources of a host, in the units of the contract: MiB, MiB, percent of one core, processes. */
export type HostResources = Readonly<Record<ResourceName, number>>

/** The fraction of its memory that a node reserves for itself. Source: CONFINE's node defaults, 25 %. */
const reservedMemoryShare = 0.25
/** The disk space that a node reserves for itself, in MiB. Source: CONFINE's node defaults, 500 in all. */
export const ownDiskMiB = { spool: 256, templates: 180, logs: 64 } as const
const reservedDiskMiB = ownDiskMiB.spool + ownDiskMiB.templates + ownDiskMiB.logs
/** The most that one sliver may request. Source: CONFINE's node defaults for memory and disk; processes in the same proportion. */
const longestRequest: HostResources = {
  memory: 2048,
  disk: 2048,
  cpu: Number.MAX_SAFE_INTEGER,
  processes: 4096,
}
const mebibyte = 2 ** 20

/** Compute what a node offers to slivers from the resources of its host. A node with less than the defaults offers what it has. */
export function offerResources(host: HostResources): ReportedResource[] {
  const total: HostResources = {
    memory: Math.floor(host.memory * (1 - reservedMemoryShare)),
    disk: Math.max(0, Math.floor(host.disk - reservedDiskMiB)),
    cpu: host.cpu,
    processes: Math.floor(host.processes * (1 - reservedMemoryShare)),
  }
  return (['memory', 'disk', 'cpu', 'processes'] as const).map((name) => {
    const max = Math.min(total[name], longestRequest[name])
    return {
      name,
      total: total[name],
      max_req: max,
      dflt_req: Math.min(resourceDefaults[name], max),
    }
  })
}

/** Limit what a node offers to all slivers, and so to each, to what is lent. */
export function limitOffer(
  offered: readonly ReportedResource[],
  lent: LentAmounts,
): ReportedResource[] {
  return offered.map((resource) => {
    const total = least(resource.total, lentAmount(lent, resource.name)) ?? 0
    const most = Math.min(resource.max_req, total)
    return { ...resource, total, max_req: most, dflt_req: Math.min(resource.dflt_req, most) }
  })
}

/** Limit a host's resources to what its owner lends. A resource that the owner does not name is not limited. */
export function limitTo(host: HostResources, lends: Partial<HostResources>): HostResources {
  const least = (name: ResourceName) => Math.min(host[name], lends[name] ?? host[name])
  return {
    memory: least('memory'),
    disk: least('disk'),
    cpu: least('cpu'),
    processes: least('processes'),
  }
}

/** Read the resources of this host: its memory (or its cgroup's limit), the disk under the data folder, its cores, its process limit. */
export async function readHostResources(dataDir: string): Promise<HostResources> {
  const [disk, pidMax] = await Promise.all([
    statfs(dataDir),
    readFile('/proc/sys/kernel/pid_max', 'utf8'),
  ])
  // It is 0, or more than the host has, when no cgroup limits this process.
  const limit = process.constrainedMemory()
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return {
    memory: Math.floor(memory / mebibyte),
    disk: Math.floor((disk.blocks * disk.bsize) / mebibyte),
    cpu: availableParallelism() * 100,
    processes: Number(pidMax.trim()),
  }
}
