import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that cannot be taken for another one that has its pid later. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it was started, in clock ticks since the host's boot. */
  readonly startTicks: number
  /** The host's boot. */
  readonly bootId: string
}

const firstPollMs = 1
const longestPollMs = 20
/** State LISTEN. Source: Linux, include/net/tcp_states.h. */
const listening = '0A'

/** Tell who runs under a pid; null when nobody, or only what is left of one that has ended. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  try {
    const [stat, bootId] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ])
    // The name, in parentheses, may hold anything. Source: proc(5), fields 3 and 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return null
    return { pid, startTicks: Number(fields[19]), bootId: bootId.trim() }
  } catch {
    // It has ended.
    return null
  }
}

/** Tell whether this very process still runs. */
export async function isAlive({ pid, startTicks, bootId }: ProcessIdentity): Promise<boolean> {
  const found = await identifyProcess(pid)
  return found !== null && found.startTicks === startTicks && found.bootId === bootId
}

/** Wait until a process of somebody else's has ended; such a one tells nobody, so it is looked at, ever less often. */
export async function waitForEnd(process: ProcessIdentity, signal: AbortSignal): Promise<void> {
  await pollUntil(async () => !(await isAlive(process)), signal)
}

/**
 * Wait until something listens at a TCP port in the network namespace of a process. Returns false when the process ends before.
 * Nothing tells of either event, so it is looked at, ever less often.
 */
export async function waitForListener(
  process: ProcessIdentity,
  port: number,
  signal: AbortSignal,
): Promise<boolean> {
  let listens = false
  await pollUntil(async () => {
    listens = await hasListener(process.pid, port)
    return listens || !(await isAlive(process))
  }, signal)
  return listens
}

async function hasListener(pid: number, port: number): Promise<boolean> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  for (const file of ['tcp6', 'tcp']) {
    const table = await readFile(`/proc/${pid}/net/${file}`, 'utf8').catch(() => {
      // It has ended, or the kernel has no such protocol.
      return ''
    })
    for (const line of table.split('\n')) {
      const [, local = '', , state] = line.trim().split(/\s+/u)
      if (state === listening && local.endsWith(`:${wanted}`)) return true
    }
  }
  return false
}

async function pollUntil(isDone: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let waitMs = firstPollMs; !(await isDone()); waitMs = Math.min(waitMs * 2, longestPollMs))
    await delay(waitMs, undefined, { signal })
}
