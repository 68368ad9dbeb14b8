/** Clock ticks per second in /proc. Source: proc(5); USER_HZ is 100 on every architecture of Linux that Node runs on. */
const ticksPerSecond = 100

/** Modes of the processor in the order of /proc/stat. Source: proc(5). */
export const cpuModes = [
  'user',
  'nice',
  'system',
  'idle',
  'iowait',
  'irq',
  'softirq',
  'steal',
] as const
export type CpuMode = (typeof cpuModes)[number]

/** The seconds of all processors together in each mode since boot, and the number of processors. */
export interface CpuTimes {
  readonly seconds: Readonly<Record<CpuMode, number>>
  readonly cpus: number
}

/** Parse /proc/stat; null when it has no line for all processors. */
export function parseStat(text: string): CpuTimes | null {
  const line = /^cpu +(.+)$/mu.exec(text)?.[1]
  if (line === undefined) return null
  const ticks = line.split(/ +/u).map(Number)
  const at = (index: number): number => (ticks[index] ?? 0) / ticksPerSecond
  const [user, nice, system, idle, iowait, irq, softirq, steal] = cpuModes.map((_, index) =>
    at(index),
  )
  return {
    seconds: {
      user: user ?? 0,
      nice: nice ?? 0,
      system: system ?? 0,
      idle: idle ?? 0,
      iowait: iowait ?? 0,
      irq: irq ?? 0,
      softirq: softirq ?? 0,
      steal: steal ?? 0,
    },
    cpus: [...text.matchAll(/^cpu\d/gmu)].length,
  }
}

/** Return the fraction of time, 0 to 1, during which the processors were busy between two readings; null when no time has passed. */
export function cpuUtilization(before: CpuTimes, after: CpuTimes): number | null {
  const passed = (mode: CpuMode): number => after.seconds[mode] - before.seconds[mode]
  const whole = cpuModes.reduce((sum, mode) => sum + passed(mode), 0)
  if (whole <= 0) return null
  const idle = passed('idle') + passed('iowait')
  return Math.min(1, Math.max(0, 1 - idle / whole))
}

/** Memory in bytes. `availableBytes` is what programs could get without swapping. */
export interface Memory {
  readonly totalBytes: number
  readonly availableBytes: number
}

/** Parse /proc/meminfo; null when a value is missing. */
export function parseMeminfo(text: string): Memory | null {
  const bytesOf = (key: string): number | null => {
    const kibibytes = new RegExp(`^${key}: +(\\d+) kB$`, 'mu').exec(text)?.[1]
    return kibibytes === undefined ? null : Number(kibibytes) * 1024
  }
  const totalBytes = bytesOf('MemTotal')
  const availableBytes = bytesOf('MemAvailable')
  return totalBytes === null || availableBytes === null ? null : { totalBytes, availableBytes }
}

/** Parse /proc/loadavg: the load averages of 1, 5 and 15 minutes; null when it is malformed. */
export function parseLoadavg(text: string): readonly [number, number, number] | null {
  const [one, five, fifteen] = text.split(' ').map(Number)
  if (one === undefined || five === undefined || fifteen === undefined) return null
  return [one, five, fifteen].every(Number.isFinite) ? [one, five, fifteen] : null
}

/** Parse /proc/uptime, in seconds; null when it is malformed. */
export function parseUptime(text: string): number | null {
  const seconds = Number.parseFloat(text)
  return Number.isFinite(seconds) ? seconds : null
}

/** The traffic of an interface since it was created. */
export interface InterfaceCounters {
  readonly interface: string
  readonly receive: Traffic
  readonly transmit: Traffic
}
/** One direction of an interface. */
export interface Traffic {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly drops: number
}

/** Parse /proc/net/dev. */
export function parseNetDev(text: string): readonly InterfaceCounters[] {
  return text.split('\n').flatMap((line) => {
    const match = /^ *(\S+?): *(.+)$/u.exec(line)
    const name = match?.[1]
    const counts = match?.[2]?.trim().split(/ +/u).map(Number)
    if (name === undefined || counts?.length !== 16) return []
    return [{ interface: name, receive: trafficAt(counts, 0), transmit: trafficAt(counts, 8) }]
  })
}

function trafficAt(counts: readonly number[], at: number): Traffic {
  const [bytes = 0, packets = 0, errors = 0, drops = 0] = counts.slice(at)
  return { bytes, packets, errors, drops }
}

/** Parse /proc/<pid>/stat: the processor seconds of a process and of its children that have ended and been waited for; null when it is malformed. */
export function parsePidStat(text: string): number | null {
  // The name, in parentheses, may contain spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).map(Number)
  if (ticks.length < 4 || !ticks.every(Number.isFinite)) return null
  return ticks.reduce((sum, tick) => sum + tick, 0) / ticksPerSecond
}

/** Parse /proc/<pid>/status: the resident bytes of a process; 0 when it has none. */
export function parsePidStatus(text: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/mu.exec(text)?.[1] ?? 0) * 1024
}
