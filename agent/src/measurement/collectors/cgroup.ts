import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a sliver uses; null where it is not told. */
export interface Usage {
  readonly cpuSeconds: number | null
  readonly memoryBytes: number | null
  readonly processes: number | null
}

/** Read what a sliver's cgroups tell: version 2 under the key `unified`, version 1 under the controllers' names. */
export async function readCgroups(cgroups: Readonly<Record<string, string>>): Promise<Usage> {
  const { unified, memory, pids } = cgroups
  const cpu = cgroups['cpuacct'] ?? cgroups['cpu']
  const [v2Cpu, v2Memory, v2Pids, v1Cpu, v1Memory, v1Pids] = await Promise.all([
    readText(unified, 'cpu.stat'),
    readText(unified, 'memory.current'),
    readText(unified, 'pids.current'),
    readText(cpu, 'cpuacct.usage'),
    readText(memory, 'memory.usage_in_bytes'),
    readText(pids, 'pids.current'),
  ])
  return {
    cpuSeconds:
      scale(v1Cpu, 1e-9) ?? scale(/^usage_usec (\d+)$/mu.exec(v2Cpu ?? '')?.[1] ?? null, 1e-6),
    memoryBytes: scale(v1Memory, 1) ?? scale(v2Memory, 1),
    processes: scale(v1Pids, 1) ?? scale(v2Pids, 1),
  }
}

async function readText(folder: string | undefined, name: string): Promise<string | null> {
  if (folder === undefined) return null
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch {
    // Not a controller of this group, or the group has gone: not told.
    return null
  }
}

function scale(text: string | null, unit: number): number | null {
  const value = text === null || text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) ? value * unit : null
}
