import { readdir, readFile, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@community-lab/contract'
import { isErrno, isProcessGone } from '../../errno.ts'

/** A process that cannot be taken for another one that has its pid later. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it was started, in clock ticks since the host's boot. */
  readonly startTicks: number
  /** The host's boot. */
  readonly bootId: string
}

const poll = { firstMs: 1, longestMs: 20 }
/** State LISTEN. Source: Linux, include/net/tcp_states.h. */
const listening = '0A'

/**
 * Tell who runs under a pid; null when nobody, or only what is left of one that has ended.
 * @throws what keeps this from being known, such as too many open files: it does not say that the process is gone.
 */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const [stat, bootId] = await Promise.all([
    readStat(pid),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
  ])
  if (stat === null || stat.state === 'Z' || stat.state === 'X') return null
  return { pid, startTicks: stat.startTicks, bootId: bootId.trim() }
}

/** Tell whether this very process still runs. @throws as {@link identifyProcess}. */
export async function isAlive({ pid, startTicks, bootId }: ProcessIdentity): Promise<boolean> {
  const found = await identifyProcess(pid)
  return found !== null && found.startTicks === startTicks && found.bootId === bootId
}

/** Tell the state of a process by its letter; null when it is gone. `D` cannot be ended. Source: proc(5), field 3. */
export async function stateOf(pid: number): Promise<string | null> {
  return (await readStat(pid))?.state ?? null
}

/** The processes in the PID namespace of a process, itself included, without what is left of those that have ended. */
export async function namespaceMembers(pid: number): Promise<readonly number[]> {
  const own = await pidNamespace(pid)
  if (own === null) return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name)).map(Number)
  const members: number[] = []
  for (const one of pids)
    if ((await pidNamespace(one)) === own && (await identifyProcess(one)) !== null)
      members.push(one)
  return members
}

/**
 * Wait until a process that is not a child of this one has ended. The kernel tells nobody of it but the parent, so the process is looked at again and again,
 * ever less often.
 */
export async function waitForEnd(process: ProcessIdentity, signal: AbortSignal): Promise<void> {
  await pollUntil(async () => !(await isAlive(process)), signal)
}

/**
 * Wait until something listens at a TCP port in the network namespace of a process. Returns false when the process ends before.
 * Nothing tells of either event, so both are looked for again and again, ever less often.
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

/** Look again and again, ever less often, until it is so. */
export async function pollUntil(
  isDone: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  for (let looks = 1; !(await isDone()); looks++)
    await delay(backoffMs(poll, looks), undefined, { signal })
}

async function hasListener(pid: number, port: number): Promise<boolean> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  for (const file of ['tcp6', 'tcp']) {
    // The process may have ended, or the kernel may lack the protocol.
    const table = (await readUnlessGone(`/proc/${pid}/net/${file}`)) ?? ''
    for (const line of table.split('\n')) {
      const [, local = '', , state] = line.trim().split(/\s+/u)
      if (state === listening && local.endsWith(`:${wanted}`)) return true
    }
  }
  return false
}

async function readStat(
  pid: number,
): Promise<{ readonly state: string; readonly startTicks: number } | null> {
  const stat = await readUnlessGone(`/proc/${pid}/stat`)
  if (stat === null) return null
  // The name, in parentheses, may hold anything. Source: proc(5), fields 3 and 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTicks: Number(fields[19]) }
}

async function readUnlessGone(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    // EINVAL: the network namespace of a process that is ending. Source: Linux, fs/proc/proc_net.c.
    if (isProcessGone(error) || isErrno(error, 'EINVAL')) return null
    throw error
  }
}

async function pidNamespace(pid: number): Promise<string | null> {
  try {
    return await readlink(`/proc/${pid}/ns/pid`)
  } catch (error) {
    // Processes of the kernel, and of others than this agent's user, may not be looked at; none of them is in a sliver.
    if (isProcessGone(error) || isErrno(error, 'EACCES', 'EPERM')) return null
    throw error
  }
}
