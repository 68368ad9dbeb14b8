import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { startedProcess } from '@community-lab/contract/host'

/** A perl program of the agent that was started. It has its own session and outlives this process. */
export interface StartedPerl {
  readonly pid: number
  /** `ready`: it has said so, by the first bytes of its standard output. Otherwise its exit code, because it ended before. */
  readonly came: 'ready' | number
  /** Resolves with its exit code when it has ended. */
  readonly exited: Promise<number>
  /** Return an error with what it has said on standard error. Only for a program that has ended. */
  readError(): Promise<Error>
}

const startWithinMs = 10_000

/**
 * Start a perl program, and wait until it is ready or has ended.
 * @param name - what the program is called in errors, such as `catcher`
 * @throws Error when it is not ready within ten seconds. It is killed then.
 */
export async function startPerl(
  name: string,
  path: string,
  args: readonly string[],
): Promise<StartedPerl> {
  const child = await startedProcess(
    spawn('perl', [path, ...args], {
      cwd: '/',
      detached: true,
      // Without it, perl warns of locales that are not installed.
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()))
  const exited = once(child, 'exit').then(([code]) => Number(code))
  const timeout = new AbortController()
  const late = delay(startWithinMs, 'late' as const, { signal: timeout.signal })
  const ready = once(child.stdout, 'data').then(() => 'ready' as const)
  const came = await Promise.race([ready, exited, late]).finally(() => {
    timeout.abort()
    // Its only error is that it was aborted.
    late.catch(() => undefined)
  })
  child.unref()
  child.stdout.destroy()
  const { pid } = child
  if (came === 'late' || pid === undefined) {
    child.stderr.destroy()
    child.kill('SIGKILL')
    throw new Error(`the ${name} has not begun within ${startWithinMs / 1000} s`)
  }
  if (came === 'ready') child.stderr.destroy()
  return {
    pid,
    came,
    exited,
    async readError() {
      if (child.stderr.readable) await once(child.stderr, 'close')
      return new Error(complaint.trim() === '' ? `perl ended with ${came}` : complaint.trim())
    },
  }
}
