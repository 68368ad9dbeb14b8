import { lstat } from 'node:fs/promises'
import { isAbsent } from '../../errno.ts'
import type { Spool } from '../spool/spool.ts'
import type { Drainer } from './drainer.ts'
import { fifoPath, openFifo } from './fifo.ts'
import { endCatcher, findCatcher } from './process.ts'
import type { StreamReader } from './stream-reader.ts'
import { watchFolder, type FolderWatch } from './watch-folder.ts'

/** Options of {@link openStream}. */
export interface OpenStreamOptions {
  readonly spool: Spool
  readonly reader: StreamReader
  readonly drainer: Drainer
  /** The folder of the stream, into which the catcher writes. */
  readonly dir: string
  /** The folder that the sliver sees as `/run/community-lab`. */
  readonly measureDir: string
}

/** A stream that is read into the spool while it grows. */
export interface OpenStream {
  readonly measureDir: string
  /** Tell whether the FIFO in the sliver's folder is still the one that was opened. */
  hasFifo(): Promise<boolean>
  /** See {@link StreamReader.appendAfter}. */
  readonly appendAfter: StreamReader['appendAfter']
  /** Stop reading, and close the FIFO. */
  close(): Promise<void>
}

/** Make a sliver's FIFO unless it exists, keep it open, and read its stream whenever the catcher has added to it. */
export async function openStream(options: OpenStreamOptions): Promise<OpenStream> {
  const { spool, reader, dir, measureDir } = options
  const fifo = await openFifo(measureDir)
  let watch: FolderWatch | null = null
  let isClosed = false
  const drained = options.drainer.add(reader, () => {
    if (watch !== null || isClosed) return
    watch = watchFolder(dir, hear)
    // Something may have come before the folder was watched.
    drained.ask()
  })

  /** While lines come, the reader looks for more by itself. An event for each write would cost more than reading what was written. */
  function hear(): void {
    watch?.close()
    watch = null
    drained.ask()
  }

  const unsubscribe = spool.onTrim(() => drained.ask())
  drained.ask()
  return {
    measureDir,
    appendAfter(sample, marks) {
      const taken = reader.appendAfter(sample, marks)
      drained.ask()
      return taken
    },
    async hasFifo() {
      try {
        const [held, found] = await Promise.all([fifo.stat(), lstat(fifoPath(measureDir))])
        return held.ino === found.ino && held.dev === found.dev
      } catch (error) {
        if (isAbsent(error)) return false
        throw error
      }
    },
    async close() {
      isClosed = true
      watch?.close()
      unsubscribe()
      await drained.stop()
      reader.letGo()
      await fifo.close()
    },
  }
}

/** End the catcher that an agent of version 0.1 has started for one sliver. */
export async function endOwnCatcher(dir: string): Promise<void> {
  const polling = new AbortController()
  try {
    const found = findCatcher(dir, polling.signal)
    if (found !== null) await endCatcher(found, dir)
  } finally {
    polling.abort()
  }
}
