import { execFileSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { isAbsent, isErrno } from '../../errno.ts'
import { formatCatcherList, parseCatcherList, type CatcherList } from '../domain/catcher-list.ts'

/**
 * Read a list; null when it was never written, or is being written.
 * @throws what keeps it from being read, such as too many open files.
 */
export function readList(path: string): CatcherList | null {
  try {
    return parseCatcherList(readFileSync(path, 'utf8'))
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}

/** Write a list. It is overwritten instead of replaced, because a full disk has no room for a second file. */
export function writeList(path: string, list: Omit<CatcherList, 'version'>): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    const bytes = Buffer.from(formatCatcherList(list))
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at)
    ftruncateSync(file, bytes.length)
  } finally {
    closeSync(file)
  }
}

/** Make the FIFO that wakes the catcher, unless it is there. */
export function ensureWake(path: string): void {
  const file = openBothEnds(path)
  if (file === null) execFileSync('mkfifo', ['-m', '600', path])
  else closeSync(file)
}

/** Tell the catcher that there is something to read. Without a catcher nothing happens: one that starts reads first. */
export function wake(path: string): void {
  const file = openBothEnds(path)
  if (file === null) return
  try {
    writeSync(file, '\n')
  } catch (error) {
    // It is full, so the catcher has enough to wake up for.
    if (!isErrno(error, 'EAGAIN')) throw error
  } finally {
    closeSync(file)
  }
}

/** Open a FIFO so that it has a reader and a writer; null when there is none. */
export function openBothEnds(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
