import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The usage of a sliver; null for unknown values. */
export interface Usage {
  readonly cpuSeconds: number | null
  readonly memoryBytes: number | null
  readonly processes: number | null
}

/** Read the usage from a sliver's cgroups: version 2 with the key `unified`, version 1 with the names of controllers. */
export function readCgroups(cgroups: Readonly<Record<string, string>>): Usage {
  const { unified, memory, pids } = cgroups
  const cpu = cgroups['cpuacct'] ?? cgroups['cpu']
  const v2Cpu = readText(unified, 'cpu.stat')
  const v2Memory = readText(unified, 'memory.current')
  const v2Pids = readText(unified, 'pids.current')
  const v1Cpu = readText(cpu, 'cpuacct.usage')
  const v1Memory = readText(memory, 'memory.usage_in_bytes')
  const v1Pids = readText(pids, 'pids.current')
  return {
    cpuSeconds:
      scale(v1Cpu, 1e-9) ?? scale(/^usage_usec (\d+)$/mu.exec(v2Cpu ?? '')?.[1] ?? null, 1e-6),
    memoryBytes: scale(v1Memory, 1) ?? scale(v2Memory, 1),
    processes: scale(v1Pids, 1) ?? scale(v2Pids, 1),
  }
}

/** Read a file of a cgroup. The file is in memory, so a synchronous read does not block; an asynchronous read, in a thread, costs ten times as much. */
function readText(folder: string | undefined, name: string): string | null {
  if (folder === undefined) return null
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    // The controller is not enabled for this group, or the group is gone: the value is unknown.
    return null
  }
}

function scale(text: string | null, unit: number): number | null {
  const value = text === null || text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) ? value * unit : null
}
