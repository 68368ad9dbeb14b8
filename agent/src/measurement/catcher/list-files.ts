import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isAbsent, isErrno } from '../../errno.ts'
import { formatCatcherList, parseCatcherList, type CatcherList } from '../domain/catcher-list.ts'

/**
 * Read a list; null when it was never written, or is not whole.
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

/**
 * Write a list, so that it is there whole or not at all, whenever this process is killed. A full disk has no room for a second file: there the list is
 * overwritten.
 * @throws Error with ENOSPC when it has no room there either. Then the old list stays.
 */
export function writeList(path: string, list: Omit<CatcherList, 'version'>): void {
  const bytes = Buffer.from(formatCatcherList(list))
  const temporary = join(dirname(path), `.${basename(path)}.tmp`)
  try {
    writeFileSync(temporary, bytes, { mode: 0o600 })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error
    overwrite(path, bytes)
  }
}

/** Write a file in its place. It grows first, because that is what a full disk refuses. */
function overwrite(path: string, bytes: Buffer): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    const { size } = fstatSync(file)
    try {
      writeAt(file, bytes.subarray(size), size)
    } catch (error) {
      ftruncateSync(file, size)
      throw error
    }
    writeAt(file, bytes.subarray(0, size), 0)
    ftruncateSync(file, bytes.length)
  } finally {
    closeSync(file)
  }
}

function writeAt(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length;)
    at += writeSync(file, bytes, at, bytes.length - at, position + at)
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
