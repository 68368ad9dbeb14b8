import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { parsePidStat, parsePidStatus } from '../domain/proc.ts'
import type { Usage } from './cgroup.ts'

/**
 * Add up the usage of the processes in the PID namespace of a sliver's first process, for hosts without cgroups. The CPU seconds of an ended process are
 * counted after its parent has waited for it. All values are null when the first process has ended.
 */
export async function readPidNamespace(pid: number, procRoot: string): Promise<Usage> {
  const namespace = await namespaceOf(pid, procRoot)
  if (namespace === null) return { cpuSeconds: null, memoryBytes: null, processes: null }
  const pids = (await readdir(procRoot)).filter((name) => /^\d+$/u.test(name)).map(Number)
  const used = await Promise.all(
    pids.map(async (each) =>
      (await namespaceOf(each, procRoot)) === namespace ? readProcess(each, procRoot) : null,
    ),
  )
  const inside = used.filter((one) => one !== null)
  return {
    cpuSeconds: inside.reduce((sum, one) => sum + one.cpuSeconds, 0),
    memoryBytes: inside.reduce((sum, one) => sum + one.memoryBytes, 0),
    processes: inside.length,
  }
}

async function namespaceOf(pid: number, procRoot: string): Promise<string | null> {
  try {
    return await readlink(join(procRoot, String(pid), 'ns/pid'))
  } catch {
    // The process has ended or cannot be read by this one, so it is not a sliver's.
    return null
  }
}

async function readProcess(
  pid: number,
  procRoot: string,
): Promise<{ cpuSeconds: number; memoryBytes: number } | null> {
  try {
    const folder = join(procRoot, String(pid))
    const [stat, status] = await Promise.all([
      readFile(join(folder, 'stat'), 'utf8'),
      readFile(join(folder, 'status'), 'utf8'),
    ])
    return { cpuSeconds: parsePidStat(stat) ?? 0, memoryBytes: parsePidStatus(status) }
  } catch {
    // The process ended meanwhile.
    return null
  }
}
