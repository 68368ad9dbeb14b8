import { spawn, type ChildProcess } from 'node:child_process'
import { backoffMs, LabError } from '@community-lab/contract'
import type { LogFile } from './log-file.ts'
import { maybeChildOf, sendSignal } from './tree.ts'

/** The command of a supervised process. */
export interface Command {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Options of {@link supervise}. */
export interface SuperviseOptions {
  readonly name: string
  /** Return the command, before each start. */
  readonly command: () => Command
  readonly log: LogFile
  /** The line of standard output which tells that the process is ready. Without it, the process counts as ready once it runs. */
  readonly readyLine?: string
  /** Called with the reason when the process has ended without being asked to. */
  readonly onDied?: (reason: string) => void
  /** Whether `pid` is the pid of the only child of the started process, which is a wrapper (nsenter --fork). */
  readonly wrapped?: 'nsenter'
}

/** A process that is started again when it ends by itself. */
export interface Supervised {
  readonly name: string
  /** Its pid in the pod; null when it does not run. */
  readonly pid: number | null
  /** Whether the process should run. Then it is started again when it ends. */
  readonly isWanted: boolean
  /** How often the process has ended without being asked to. */
  readonly deaths: number
  /** The reason of its last end; empty when it never ended. */
  readonly lastReason: string
  /** The last line of its log. */
  readonly lastLine: string
  readonly logFile: string
  /** Start the process, and wait until it is ready. Does nothing when it should run already. */
  start(signal: AbortSignal): Promise<void>
  /** End the process without starting it again: SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>
  /** Kill the process with SIGKILL, and start it again (`restart`) or not (`stay-down`). Settles when it has ended. */
  kill(after: 'restart' | 'stay-down'): Promise<void>
}

/** The delay before a process that ended is started again. */
const backoff = { firstMs: 200, longestMs: 5_000 }

const steadyMs = 10_000

/** Supervise a process. It is not started yet. */
export function supervise(options: SuperviseOptions): Supervised {
  let child: ChildProcess | null = null
  let stopping: ChildProcess | null = null
  let ended: Promise<void> = Promise.resolve()
  let wanted = false
  let deaths = 0
  let inARow = 0
  let lastReason = ''
  let timer: NodeJS.Timeout | null = null

  function launch(): Promise<void> {
    const { argv, env, cwd } = options.command()
    const [command = '', ...args] = argv
    const started = spawn(command, args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    })
    child = started
    const startedAt = performance.now()
    const ready = Promise.withResolvers<undefined>()
    const note = (text: string) => options.log.note(`${options.name} ${text}`)
    note(`started: ${argv.join(' ')}`)
    let pending = ''
    started.stdout.on('data', (chunk: Buffer) => {
      options.log.write(chunk)
      if (options.readyLine === undefined) return
      pending = (pending + chunk.toString()).slice(-4096)
      if (pending.includes(options.readyLine)) ready.resolve(undefined)
    })
    started.stderr.on('data', (chunk: Buffer) => options.log.write(chunk))
    if (options.readyLine === undefined) started.on('spawn', () => ready.resolve(undefined))
    const end = Promise.withResolvers<undefined>()
    ended = end.promise.then(() => undefined)
    let over = false
    const onEnd = (reason: string): void => {
      if (over) return
      over = true
      note(`ended: ${reason}`)
      child = null
      end.resolve(undefined)
      ready.reject(endedError(options, reason))
      if (!wanted) return
      deaths += 1
      lastReason = reason
      inARow = performance.now() - startedAt > steadyMs ? 1 : inARow + 1
      options.onDied?.(reason)
      timer = setTimeout(relaunch, backoffMs(backoff, inARow))
    }
    started.on('error', (error) => onEnd(error.message))
    started.on('exit', (code, signal) => onEnd(signal ?? `exit code ${code ?? -1}`))
    return ready.promise.then(() => undefined)
  }

  function relaunch(): void {
    timer = null
    launch().catch(() => {
      // The end of the process is noted in the log, and starts it again.
    })
  }

  function signalIt(signal: NodeJS.Signals): void {
    const pid = child === null ? null : pidOf(child, options.wrapped)
    if (pid !== null) sendSignal(pid, signal)
  }

  async function stop(graceMs: number): Promise<void> {
    wanted = false
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (child === null) return
    // SIGTERM is sent once, because many programs end at once on a second one.
    if (stopping !== child) signalIt('SIGTERM')
    stopping = child
    const killer = setTimeout(() => signalIt('SIGKILL'), graceMs)
    await ended
    clearTimeout(killer)
  }

  return {
    name: options.name,
    logFile: options.log.file,
    get pid() {
      return child === null ? null : pidOf(child, options.wrapped)
    },
    get isWanted() {
      return wanted
    },
    get deaths() {
      return deaths
    },
    get lastReason() {
      return lastReason
    },
    get lastLine() {
      return options.log.lastLine
    },
    async start(signal) {
      signal.throwIfAborted()
      if (wanted) return
      wanted = true
      inARow = 0
      const aborted = Promise.withResolvers<never>()
      const abort = () => aborted.reject(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      try {
        await Promise.race([launch(), aborted.promise])
      } finally {
        signal.removeEventListener('abort', abort)
      }
    },
    stop,
    async kill(after) {
      if (after === 'stay-down') {
        wanted = false
        if (timer !== null) clearTimeout(timer)
      }
      const gone = ended
      signalIt('SIGKILL')
      await gone
    },
  }
}

function endedError(options: SuperviseOptions, reason: string): LabError {
  const { name, log } = options
  const details = { process: name, reason, log: log.file, lastLine: log.lastLine }
  return new LabError('LAB_VCT_PROCESS_ENDED', details)
}

function pidOf(child: ChildProcess, wrapped: SuperviseOptions['wrapped']): number | null {
  if (child.pid === undefined) return null
  return wrapped === 'nsenter' ? (maybeChildOf(child.pid) ?? child.pid) : child.pid
}
