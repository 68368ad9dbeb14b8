import { watch } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { Spool } from '../spool/spool.ts'
import type { Drainer } from './drainer.ts'
import { fifoPath, openFifo } from './fifo.ts'
import type { NodeCatcher } from './node-catcher.ts'
import { endCatcher, findCatcher } from './process.ts'
import type { StreamReader } from './stream-reader.ts'

/** Options of {@link catchSliver}. */
export interface CaughtSliverOptions {
  readonly sliver: string
  readonly spool: Spool
  readonly reader: StreamReader
  readonly drainer: Drainer
  readonly catcher: NodeCatcher
  /** The name of its folder, which the catcher knows it by, and that folder. */
  readonly folder: string
  readonly dir: string
  readonly measureDir: string
  readonly onProblem: (error: unknown) => void
}

/** A sliver whose programs' lines are caught and read into the spool. */
export interface CaughtSliver {
  /** Tell whether the FIFO in its folder is still the one that is caught. */
  isCaught(): Promise<boolean>
  /** Catch what is in the FIFO, and catch no more. */
  end(): Promise<void>
  /** Let go; the catcher runs on. */
  close(): Promise<void>
}

/**
 * Make a sliver's FIFO, have it caught, and read what is caught.
 * @throws Error that says why it cannot be caught.
 */
export async function catchSliver(options: CaughtSliverOptions): Promise<CaughtSliver> {
  const { spool, catcher, folder, measureDir } = options
  const path = fifoPath(measureDir)
  const fifo = await openFifo(measureDir)
  try {
    await endOwnCatcher(options.dir)
    await catcher.want(folder, path)
  } catch (error) {
    await fifo.close()
    throw error
  }
  const drained = options.drainer.add(options.reader)
  const watcher = watch(options.dir, () => drained.ask())
  watcher.on('error', options.onProblem)
  const unsubscribe = spool.onTrim(() => drained.ask())
  drained.ask()

  async function close(): Promise<void> {
    watcher.close()
    unsubscribe()
    await drained.stop()
    await fifo.close()
  }

  return {
    async isCaught() {
      try {
        const [held, found] = await Promise.all([fifo.stat(), lstat(path)])
        return held.ino === found.ino && held.dev === found.dev
      } catch {
        // It has been removed.
        return false
      }
    },
    async end() {
      await catcher.unwant(folder)
      await close()
    },
    close,
  }
}

/** End the catcher that an agent of version 0.1 has started for one sliver alone. */
export async function endOwnCatcher(dir: string): Promise<void> {
  const found = findCatcher(dir, new AbortController().signal)
  if (found !== null) await endCatcher(found, dir)
}
