import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import {
  cpuModes,
  cpuUtilization,
  parseLoadavg,
  parseMeminfo,
  parseStat,
  parseUptime,
  type CpuTimes,
} from '../domain/proc.ts'
import { nodeSource, nowUs, type Sample } from '../sample.ts'

/** Something that is measured at intervals. */
export interface Collector {
  readonly name: string
  /** Measure now. Values that the host does not provide are left out. */
  collect(): Promise<readonly Sample[]>
}

/** Options of {@link createNodeHealth}. */
export interface NodeHealthOptions {
  readonly procRoot: string
  /** A path on the disk to measure. */
  readonly diskPath: string
}

/**
 * Measure the node's health, in one row: `cpu_<mode>_seconds_total` of all processors together, `cpu_utilization_ratio` (0 to 1, since the previous row; not in
 * the first), `cpus`, `memory_total_bytes`, `memory_available_bytes`, `disk_total_bytes`, `disk_free_bytes` (for ordinary users), `load1`, `load5`, `load15`,
 * `uptime_seconds`.
 */
export function createNodeHealth(options: NodeHealthOptions): Collector {
  const { procRoot, diskPath } = options
  let before: CpuTimes | null = null

  const read = (name: string): Promise<string> => readFile(join(procRoot, name), 'utf8')

  async function collect(): Promise<readonly Sample[]> {
    const [stat, meminfo, loadavg, uptime, disk] = await Promise.all([
      read('stat'),
      read('meminfo'),
      read('loadavg'),
      read('uptime'),
      statfs(diskPath),
    ])
    const fields: Sample['fields'] = {}
    const cpu = parseStat(stat)
    if (cpu !== null) {
      for (const mode of cpuModes) fields[`cpu_${mode}_seconds_total`] = cpu.seconds[mode]
      fields['cpus'] = cpu.cpus
      const utilization = before === null ? null : cpuUtilization(before, cpu)
      if (utilization !== null) fields['cpu_utilization_ratio'] = utilization
      before = cpu
    }
    const memory = parseMeminfo(meminfo)
    if (memory !== null) {
      fields['memory_total_bytes'] = memory.totalBytes
      fields['memory_available_bytes'] = memory.availableBytes
    }
    fields['disk_total_bytes'] = disk.blocks * disk.bsize
    fields['disk_free_bytes'] = disk.bavail * disk.bsize
    const load = parseLoadavg(loadavg)
    if (load !== null) [fields['load1'], fields['load5'], fields['load15']] = load
    const seconds = parseUptime(uptime)
    if (seconds !== null) fields['uptime_seconds'] = seconds
    return [{ time_us: nowUs(), source: nodeSource, name: 'node_health', fields }]
  }

  return { name: 'node_health', collect }
}
