import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import {
  backoffMs,
  LabError,
  messageOf,
  parseTincLog,
  tincdArguments,
  tincdBackoff,
  tincdEnvironment,
  tincdSeedDelayMs,
  type TincEvent,
} from '@community-lab/contract'
import { startedProcess } from './start-process.ts'

/** Options of {@link superviseTincd}. */
export interface TincdOptions {
  /** The folder tincd runs on; nobody less privileged may write it. */
  readonly dir: string
  /** Called before each start, to create what tincd needs. When it throws, the start has failed and is tried again. */
  readonly prepare: () => Promise<void>
  readonly onEvent: (event: TincEvent) => void
  /** Called after each unexpected end, before the next start. */
  readonly onExit: (reason: string) => void
  readonly onLine: (line: string) => void
  /** Ends tincd and its supervision. */
  readonly signal: AbortSignal
}

/** A tincd that is started again whenever it ends. */
export interface SupervisedTincd {
  /** Null while none runs. */
  readonly pid: number | null
  /** Make it read its host files again. A tincd that is starting does so when it is ready. */
  reload(): void
  /** Note that other hosts may have become reachable: end tincd's wait after a failed attempt, or after the current attempt if that fails too. */
  noteNetworkChange(): void
  /** Start it again, at once. */
  restart(): void
  /** Resolves when the signal has ended it and the process is gone. */
  readonly ended: Promise<void>
}

const killAfterMs = 3_000
/** A file whose time is that of the last tincd that became ready. */
const lastStart = 'last-start'

/**
 * Run `tincd -D` as a child, read its log, and start it again when it ends (after 0.2 s, doubling to 10 s while it keeps ending). Stop it with SIGTERM, and
 * after 3 s with SIGKILL. A tincd that outlived its supervisor must be stopped before, see `stopLeftovers`.
 */
export function superviseTincd(options: TincdOptions): SupervisedTincd {
  let child: ChildProcess | null = null
  // A SIGHUP before tincd has installed its handlers would end it.
  let ready = false
  let reloadAsked = false
  // Only a tincd that waits may be told to try again: a connection that is being opened would break.
  let waits = false
  let hasChanged = false
  let restartAsked = new AbortController()

  async function runOnce(): Promise<string> {
    const restart = (restartAsked = new AbortController())
    await options.prepare()
    // When another process happens to have the pid in a stale file, tincd takes it for itself and refuses to start.
    await rm(join(options.dir, 'tincd.pid'), { force: true })
    const signal = AbortSignal.any([options.signal, restart.signal])
    await awaitNewSeed(options.dir, signal)
    const isStopped = (): boolean => signal.aborted
    if (isStopped()) return 'stopped'
    const started = await startedProcess(
      spawn('tincd', tincdArguments(options.dir), {
        env: tincdEnvironment,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    child = started
    const last: string[] = []
    for (const stream of [started.stdout, started.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        last.splice(0, Math.max(0, last.length - 4))
        last.push(line)
        options.onLine(line)
        const event = parseTincLog(line)
        if (event?.kind === 'ready') noteReady(started)
        if (event?.kind === 'connecting') waits = false
        if (event?.kind === 'waiting') noteWaiting()
        if (event !== null) options.onEvent(event)
      })
    }
    const stop = (): void => void stopChild(started)
    signal.addEventListener('abort', stop)
    if (isStopped()) stop()
    try {
      const [code, by] = (await once(started, 'close')) as [number | null, string | null]
      return `${by === null ? `exit code ${code ?? 'unknown'}` : `killed by ${by}`}; its last words: ${last.join(' | ')}`
    } finally {
      signal.removeEventListener('abort', stop)
      child = null
      ready = false
      reloadAsked = false
      waits = false
    }
  }

  function noteReady(started: ChildProcess): void {
    ready = true
    // This fails only when the folder cannot be written, and then tincd cannot start either.
    writeFile(join(options.dir, lastStart), '').catch(() => undefined)
    if (reloadAsked) started.kill('SIGHUP')
    reloadAsked = false
  }

  function noteWaiting(): void {
    waits = true
    if (hasChanged) retry()
  }

  function retry(): void {
    waits = false
    hasChanged = false
    child?.kill('SIGALRM')
  }

  function reload(): void {
    if (ready) child?.kill('SIGHUP')
    else reloadAsked = true
  }

  async function run(): Promise<void> {
    let failures = 0
    for (;;) {
      const startedMs = performance.now()
      const reason = await runOnce().catch(reasonOf)
      if (options.signal.aborted) return
      if (restartAsked.signal.aborted) continue
      options.onExit(reason)
      failures = performance.now() - startedMs > 10_000 ? 0 : failures + 1
      const wait = AbortSignal.any([options.signal, restartAsked.signal])
      await delay(backoffMs(tincdBackoff, failures), undefined, { signal: wait }).catch(() => {
        // tincd has ended or must restart: either way the wait is over.
      })
    }
  }

  return {
    get pid() {
      return child?.pid ?? null
    },
    reload,
    noteNetworkChange() {
      hasChanged = true
      if (waits) retry()
    },
    restart: () => restartAsked.abort(),
    ended: run(),
  }
}

/** Wait until a tincd that is started on the folder uses other request numbers than the last one. */
async function awaitNewSeed(dir: string, signal: AbortSignal): Promise<void> {
  const lastMs = await stat(join(dir, lastStart)).then(
    ({ mtimeMs }) => mtimeMs,
    // No tincd was started here before.
    () => 0,
  )
  await delay(tincdSeedDelayMs(lastMs, Date.now()), undefined, { signal }).catch(() => {
    // Stopped or told to restart. The caller checks its signal.
  })
}

async function stopChild(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  clearTimeout(timer)
}

function reasonOf(error: unknown): string {
  if (LabError.is(error)) return error.message
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    return 'there is no tincd'
  return messageOf(error)
}
