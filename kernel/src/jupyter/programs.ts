import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

/** How long programs may take to end when they are asked to, and how often it is looked meanwhile, in milliseconds. */
const graceMs = 500
const lookEveryMs = 20

/** A program, told from a later one with the same process id by the time at which it started. */
interface Program {
  readonly pid: number
  readonly parent: number
  readonly session: number
  readonly startedAt: string
}

/**
 * Find the programs that a process has started, and those that they have started. What has a session of its own (`setsid`, `detached: true`) is meant to go on,
 * and is left out. None on systems without /proc.
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
 * Find the programs that a process of this one left when it ended: they have lost the parent that told whose they were. Jupyter starts each kernel as the leader
 * of a session, and then all others of that session come from it. None where this process leads no session.
 */
export function leftPrograms(): readonly Program[] {
  const all = readPrograms()
  const isLeader = all.some(({ pid, session }) => pid === process.pid && session === pid)
  return isLeader
    ? all.filter(({ pid, session }) => session === process.pid && pid !== process.pid)
    : []
}

/** End programs: by SIGTERM, and those that do not end by SIGKILL. */
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
    // There is no /proc here.
    return []
  }
}

/** Source: proc_pid_stat(5). The name, in parentheses, may contain anything. */
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
    // It has ended.
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
    // It has ended meanwhile, or has become another user's.
  }
}
