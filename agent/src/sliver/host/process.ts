import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@community-lab/contract'
import { isErrno, isProcessGone } from '../../errno.ts'

/** A process. The start time distinguishes it from a later process with the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** The time of its start, in clock ticks since the host's boot. */
  readonly startTicks: number
  /** The id of the host's boot. */
  readonly bootId: string
}

const paces = {
  quick: { firstMs: 1, longestMs: 20 },
  slow: { firstMs: 1, longestMs: 250 },
} as const
/** State LISTEN. Source: Linux, include/net/tcp_states.h. */
const listening = '0A'

/**
 * Identify the process with a pid; null when there is none, or only a zombie.
 * @throws the error of the operating system when this cannot be determined, for example because of too many open files. Such an error does not mean that the process is gone.
 */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const stat = readStat(`/proc/${pid}`)
  if (stat === null || hasEnded(stat.state)) return null
  return { pid, startTicks: stat.startTicks, bootId: readBootId() }
}

let knownBootId: string | null = null

/** Return the id of the host's boot. It does not change while this process runs, so it is read once. */
function readBootId(): string {
  return (knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
}

/** Tell whether exactly this process still runs. @throws as {@link identifyProcess}. */
export function isAlive({ pid, startTicks, bootId }: ProcessIdentity): boolean {
  const found = identifyProcess(pid)
  return found !== null && found.startTicks === startTicks && found.bootId === bootId
}

/** Return the letter of a process's state; null when the process is gone. A process in state `D` cannot be killed. Source: proc(5), field 3. */
export function stateOf(pid: number): string | null {
  return readStat(`/proc/${pid}`)?.state ?? null
}

/**
 * Count the processes in the PID namespace of its first process, that one included, without zombies. They are counted in the `/proc`
 * that the first process sees, which has no others: the host's may have thousands.
 */
export async function countMembers(first: ProcessIdentity): Promise<number> {
  const folder = `/proc/${first.pid}/root/proc`
  const names = await readdir(folder).catch((error: unknown) => {
    if (isProcessGone(error)) return []
    throw error
  })
  const pids = names.filter((name) => /^\d+$/u.test(name))
  const states = pids.map((pid) => readStat(`${folder}/${pid}`)?.state ?? 'X')
  return states.filter((state) => !hasEnded(state)).length
}

/** Kill a process if it is still the same one. Nothing is awaited between the check and the signal, so that the pid cannot be reused meanwhile. */
export function kill({ pid, startTicks }: ProcessIdentity): void {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    if (stat.startTicks === startTicks && !hasEnded(stat.state)) process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!isProcessGone(error)) throw error
  }
}

/**
 * Wait until a process that is not a child of this one has ended. The kernel notifies only the parent, so the process is polled, at growing intervals.
 */
export async function waitForEnd(process: ProcessIdentity, signal: AbortSignal): Promise<void> {
  await pollUntil(() => !isAlive(process), { signal })
}

/**
 * Wait until something listens at a TCP port in the network namespace of a process. Returns false when the process ends before.
 * There is no notification of either event, so both are polled, at growing intervals.
 */
export async function waitForListener(
  process: ProcessIdentity,
  port: number,
  signal: AbortSignal,
): Promise<boolean> {
  let listens = false
  await pollUntil(
    async () => {
      listens = usesTcp(process.pid) && (await hasListener(process.pid, port))
      return listens || !isAlive(process)
    },
    { signal },
  )
  return listens
}

/**
 * Poll at growing intervals until a condition holds.
 * @param pace - `quick` when people wait for it; `slow` when it takes seconds anyway, or many are waited for at once.
 */
export async function pollUntil(
  isDone: () => boolean | Promise<boolean>,
  { pace = 'quick', signal }: { readonly pace?: 'quick' | 'slow'; readonly signal: AbortSignal },
): Promise<void> {
  for (let looks = 1; !(await isDone()); looks++)
    await delay(backoffMs(paces[pace], looks), undefined, { signal })
}

/**
 * Tell whether anything in the network namespace of a process uses TCP. The kernel has a counter for that. Listing the sockets of a namespace instead makes the
 * kernel go through the connections of the whole host, which takes 2 to 12 ms when the table of them is large.
 */
function usesTcp(pid: number): boolean {
  for (const file of ['sockstat6', 'sockstat']) {
    const counts = readUnlessGone(`/proc/${pid}/net/${file}`)
    // The file is absent when the kernel lacks the protocol.
    if (counts !== null && /^TCP6?: inuse [1-9]/mu.test(counts)) return true
  }
  return false
}

async function hasListener(pid: number, port: number): Promise<boolean> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  for (const file of ['tcp6', 'tcp']) {
    // The process may have ended, or the kernel may lack the protocol.
    const table = await readFile(`/proc/${pid}/net/${file}`, 'utf8').catch((error: unknown) => {
      if (isGone(error)) return ''
      throw error
    })
    for (const line of table.split('\n')) {
      const [, local = '', , state] = line.trim().split(/\s+/u)
      if (state === listening && local.endsWith(`:${wanted}`)) return true
    }
  }
  return false
}

interface Stat {
  readonly state: string
  readonly startTicks: number
}

/** Read the kernel's `stat` of a process; null when the process is gone. @param folder - the process's folder in a `/proc`. */
function readStat(folder: string): Stat | null {
  const stat = readUnlessGone(`${folder}/stat`)
  return stat === null ? null : parseStat(stat)
}

function parseStat(stat: string): Stat {
  // The name, in parentheses, may contain any character. Source: proc(5), fields 3 and 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTicks: Number(fields[19]) }
}

/** Tell whether a state is that of a zombie or a dead process. Source: proc(5), field 3. */
function hasEnded(state: string): boolean {
  return state === 'Z' || state === 'X'
}

/**
 * Read a file of `/proc`; null when its process is gone. The file is in memory, so a synchronous read does not block; an asynchronous read, in a thread, costs
 * ten times as much.
 */
function readUnlessGone(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/**
 * Tell whether an error means that a process is gone. The kernel returns EINVAL for the network namespace of a process that is ending. Source: Linux,
 * fs/proc/proc_net.c.
 */
function isGone(error: unknown): boolean {
  return isProcessGone(error) || isErrno(error, 'EINVAL')
}
