import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

/** How long programs may take to end after SIGTERM, and the interval between checks, in milliseconds. */
const graceMs = 500
const lookEveryMs = 20

/** A program. The time at which it started tells it from a later one with the same process id. */
interface Program {
  readonly pid: number
  readonly parent: number
  readonly session: number
  readonly startedAt: string
}

/**
 * Find the descendants of a process. Programs in another session (`setsid`, `detached: true`) are meant to go on and are left out. Empty on systems without
 * /proc.
 */
export function programsOf(pid: number): readonly Program[] {
  const all = readPrograms()
  const session = all.find((each) => each.pid === pid)?.session
  const found: Program[] = []
  const parents = [pid]
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop())
    for (const each of all)
      if (each.parent === parent && each.session === session) {
        found.push(each)
        parents.push(each.pid)
      }
  return found
}

/**
 * Find the programs that a child of this process left when it ended. They have lost the parent process that linked them to it. Jupyter starts each kernel as
 * the leader of a session, so all other processes of that session come from this kernel. Empty when this process is not a session leader.
 */
export function leftPrograms(): readonly Program[] {
  const all = readPrograms()
  const isLeader = all.some(({ pid, session }) => pid === process.pid && session === pid)
  return isLeader
    ? all.filter(({ pid, session }) => session === process.pid && pid !== process.pid)
    : []
}

/** End programs: SIGTERM first, then SIGKILL for those that have not ended. */
export async function endPrograms(programs: readonly Program[]): Promise<void> {
  for (const each of programs) signal(each, 'SIGTERM')
  for (let waitedMs = 0; waitedMs < graceMs && programs.some(isAlive); waitedMs += lookEveryMs)
    await delay(lookEveryMs)
  for (const each of programs) signal(each, 'SIGKILL')
}

function readPrograms(): readonly Program[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/u.test(name))
      .flatMap((name) => readProgram(Number(name)) ?? [])
  } catch {
    // This system has no /proc.
    return []
  }
}

/** Source: proc_pid_stat(5). The name, in parentheses, may contain any characters. */
function readProgram(pid: number): Program | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return null
    return {
      pid,
      parent: Number(fields[1]),
      session: Number(fields[3]),
      startedAt: fields[19] ?? '',
    }
  } catch {
    // The process has ended.
    return null
  }
}

function isAlive({ pid, startedAt }: Program): boolean {
  return readProgram(pid)?.startedAt === startedAt
}

function signal(program: Program, how: NodeJS.Signals): void {
  if (!isAlive(program)) return
  try {
    process.kill(program.pid, how)
  } catch {
    // The process has ended, or its id belongs to another user now.
  }
}
