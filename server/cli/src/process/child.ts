import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'

/** A process that this one started, in its own process group, so that Ctrl-C at the terminal does not reach it. */
export interface Child {
  readonly process: ChildProcess
  /** Settles with a description of its end: `exit code 1`, `SIGKILL`, `cannot start: …`. Never rejects. */
  readonly ended: Promise<Ending>
  /** Ask the process to end, wait, and kill its group after `graceMs`. Settles when it has ended. */
  stop(graceMs: number): Promise<void>
}

/** The end of a process. */
export interface Ending {
  readonly code: number | null
  /** A description in words, for an error. */
  readonly reason: string
}

/** The program of util-linux with which the kernel ends a process when its parent ends, even when the parent was killed. */
const parentDeath = ['/usr/bin/setpriv', '--pdeathsig', 'TERM', '--']

/** Start a process that ends no later than this one. */
export function startChild(argv: readonly string[], options: SpawnOptions): Child {
  const guard = existsSync(parentDeath[0] ?? '') ? parentDeath : []
  const [program = '', ...rest] = [...guard, ...argv]
  const child = spawn(program, rest, { ...options, detached: true })
  const ended = new Promise<Ending>((resolve) => {
    child.on('error', (error) =>
      resolve({ code: null, reason: `${program} cannot start: ${error.message}` }),
    )
    child.on('close', (code, killedBy) =>
      resolve({ code, reason: killedBy ?? `exit code ${code ?? 'unknown'}` }),
    )
  })
  return {
    process: child,
    ended,
    async stop(graceMs) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => killGroup(child.pid), graceMs)
      await ended
      clearTimeout(timer)
    },
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // ESRCH: the group has ended already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
