import { nodeSource, nowUs, type Sample } from '../sample.ts'
import { readCgroups } from './cgroup.ts'
import type { Collector } from './node-health.ts'
import { readPidNamespace } from './pid-namespace.ts'

/** A running sliver. */
export interface MeasuredSliver {
  /** `slice@node`. */
  readonly id: string
  /** The pid of its first process on the host. */
  readonly pid: number
  /** Its cgroup folders by controller (`memory`, `cpu`, `cpuacct`, `pids`), or `unified`; empty when there are none. */
  readonly cgroups: Readonly<Record<string, string>>
}

/** Options of {@link createSliverHealth}. */
export interface SliverHealthOptions {
  /** List the running slivers. */
  readonly slivers: () => readonly MeasuredSliver[] | Promise<readonly MeasuredSliver[]>
  readonly procRoot: string
}

/**
 * Measure the usage of each sliver, in one row each: `sliver_id`, `cpu_seconds_total`, `memory_bytes`, `processes`. The values come from its cgroups, or if
 * these lack them, from its processes.
 */
export function createSliverHealth(options: SliverHealthOptions): Collector {
  async function measure(sliver: MeasuredSliver): Promise<readonly Sample[]> {
    const counted = readCgroups(sliver.cgroups)
    const isComplete = Object.values(counted).every((value) => value !== null)
    const added = isComplete ? counted : await readPidNamespace(sliver.pid, options.procRoot)
    const cpuSeconds = counted.cpuSeconds ?? added.cpuSeconds
    const memoryBytes = counted.memoryBytes ?? added.memoryBytes
    const processes = counted.processes ?? added.processes
    // The sliver has ended meanwhile.
    if (cpuSeconds === null && memoryBytes === null && processes === null) return []
    const fields: Sample['fields'] = { sliver_id: sliver.id }
    if (cpuSeconds !== null) fields['cpu_seconds_total'] = cpuSeconds
    if (memoryBytes !== null) fields['memory_bytes'] = memoryBytes
    if (processes !== null) fields['processes'] = processes
    return [{ time_us: nowUs(), source: nodeSource, name: 'sliver_health', fields }]
  }

  return {
    name: 'sliver_health',
    async collect() {
      return (await Promise.all([...(await options.slivers())].map(measure))).flat()
    },
  }
}
