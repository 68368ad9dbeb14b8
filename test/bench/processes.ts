import { readdir, readFile } from 'node:fs/promises'

/** Processor time of a testbed's processes and of what they waited for, in seconds, by the part that spent it. */
export type CpuByPart = ReadonlyMap<string, number>

const parts: readonly (readonly [string, RegExp])[] = [
  ['agents', /agent\/(?:bin\/\.\.\/)?dist\/main\.bundle/u],
  ['server', /server\/(?:bin\/\.\.\/)?dist\/main\.bundle/u],
  ['gateway and tincd', /gateway\/main\.bundle|tincd/u],
  ['PostgreSQL', /postgres/u],
  ['relay', /relay-main/u],
  ['supervisor', /pod-main/u],
  ['launcher', /vct\/dist\/main\.bundle/u],
  ['routers', /babeld/u],
]

interface Process {
  readonly pid: number
  readonly parent: number
  readonly seconds: number
  readonly command: string
}

/**
 * Read what a process and all its descendants have spent, with what their children spent that have ended. Source: proc(5); USER_HZ is 100.
 */
export async function readCpu(root: number): Promise<CpuByPart> {
  const all = await readProcesses()
  const byPart = new Map<string, number>()
  const family = new Set([root])
  // A child may have a smaller id than its parent, so it goes on until nobody is added.
  for (let before = 0; before < family.size;) {
    before = family.size
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
  }
  for (const { pid, seconds, command } of all) {
    if (!family.has(pid)) continue
    const part = parts.find(([, pattern]) => pattern.test(command))?.[0] ?? 'other'
    byPart.set(part, (byPart.get(part) ?? 0) + seconds)
  }
  return byPart
}

/** The sum over all parts. */
export function totalCpu(cpu: CpuByPart): number {
  return [...cpu.values()].reduce((sum, seconds) => sum + seconds, 0)
}

async function readProcesses(): Promise<readonly Process[]> {
  const entries = (await readdir('/proc')).filter((entry) => /^\d+$/u.test(entry))
  const found = await Promise.all(entries.map((entry) => maybeProcess(entry)))
  return found.filter((one) => one !== null)
}

async function maybeProcess(entry: string): Promise<Process | null> {
  try {
    const [stat, command] = await Promise.all([
      readFile(`/proc/${entry}/stat`, 'utf8'),
      readFile(`/proc/${entry}/cmdline`, 'utf8'),
    ])
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0)
    return { pid: Number(entry), parent: Number(fields[1]), seconds: ticks / 100, command }
  } catch {
    // It has ended meanwhile.
    return null
  }
}
