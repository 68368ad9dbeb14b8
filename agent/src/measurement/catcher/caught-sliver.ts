import { once } from 'node:events'
import { watch } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../domain/backoff.ts'
import type { Spool } from '../spool/spool.ts'
import type { Drainer } from './drainer.ts'
import { fifoPath, openFifo } from './fifo.ts'
import { endCatcher, isCatcher, startCatcher, type CatcherProcess } from './process.ts'
import type { CatcherProgramOptions } from './program.ts'
import type { StreamReader } from './stream-reader.ts'

/** Options of {@link catchSliver}. */
export interface CaughtSliverOptions {
  readonly spool: Spool
  readonly reader: StreamReader
  readonly drainer: Drainer
  readonly measureDir: string
  readonly program: Omit<CatcherProgramOptions, 'fifo'>
  readonly onProblem: (error: unknown) => void
}

/** A sliver whose programs' lines are caught and read into the spool. */
export interface CaughtSliver {
  /** Tell whether the FIFO in its folder is still the one that is caught. */
  isCaught(): Promise<boolean>
  /** Catch what is in the FIFO, and end its catcher. */
  end(): Promise<void>
  /** Let go; the catcher runs on. */
  close(): Promise<void>
}

/** Make a sliver's FIFO, see that a catcher runs on it, and read what it catches. */
export async function catchSliver(options: CaughtSliverOptions): Promise<CaughtSliver> {
  const { spool, reader, measureDir, onProblem } = options
  const { dir, sliver } = options.program
  const program = { ...options.program, fifo: fifoPath(measureDir) }
  /** From when on no catcher is started in the place of one that died. */
  const leaving = new AbortController()
  const closed = new AbortController()
  const fifo = await openFifo(sliver, measureDir)
  let catcher: CatcherProcess
  try {
    catcher = await startCatcher(program, closed.signal)
  } catch (error) {
    await fifo.close()
    throw error
  }

  const drain = options.drainer.add(reader)
  const watcher = watch(dir, () => drain.ask())
  watcher.on('error', onProblem)
  const unsubscribe = spool.onTrim(() => drain.ask())
  drain.ask()

  /** A function, for the compiler cannot know that it changes meanwhile. */
  function isLeaving(): boolean {
    return leaving.signal.aborted
  }

  async function supervise(): Promise<void> {
    const left = once(leaving.signal, 'abort')
    let failures = 0
    for (;;) {
      const startedMs = performance.now()
      await Promise.race([catcher.ended, left])
      failures = performance.now() - startedMs > 10_000 ? 0 : failures
      while (!isLeaving()) {
        try {
          const waitMs = failures++ > 0 ? backoffMs(failures - 1, Math.random()) : 0
          await delay(waitMs, undefined, { signal: leaving.signal })
          catcher = await startCatcher(program, closed.signal)
          break
        } catch (error) {
          // A wait that was cut short is no problem.
          if (!isLeaving()) onProblem(error)
        }
      }
      if (isLeaving()) return
    }
  }
  const supervised = supervise()

  /** What is in the FIFO when its catcher has died is caught by another one. */
  async function catchWhatIsLeft(): Promise<void> {
    try {
      if (!isCatcher(catcher.pid, dir)) catcher = await startCatcher(program, closed.signal)
    } catch (error) {
      onProblem(error)
    }
  }

  async function close(): Promise<void> {
    leaving.abort()
    await supervised
    closed.abort()
    watcher.close()
    unsubscribe()
    await drain.stop()
    await fifo.close()
  }

  return {
    async isCaught() {
      try {
        const [held, found] = await Promise.all([fifo.stat(), lstat(program.fifo)])
        return held.ino === found.ino && held.dev === found.dev
      } catch {
        // It has been removed.
        return false
      }
    },
    async end() {
      leaving.abort()
      await supervised
      await catchWhatIsLeft()
      await endCatcher(catcher, dir)
      await close()
    },
    close,
  }
}
