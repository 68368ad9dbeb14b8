import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isAbsent, isErrno, isFull } from '../../errno.ts'
import { formatCatcherList, parseCatcherList, type CatcherList } from '../domain/catcher-list.ts'

/**
 * Read a list; null when it was never written, or is not whole.
 * @throws the error of the operating system when it cannot be read, for example because of too many open files.
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
 * Write a list. Either the old or the new list is complete whenever this process is killed. A full disk has no space for a second file, so the file of the previous list is kept as a
 * spare, and the next list overwrites it: the two alternate.
 * @throws Error with ENOSPC when the spare cannot grow. Then the old list stays.
 */
export function writeList(path: string, list: Omit<CatcherList, 'version'>): void {
  const bytes = Buffer.from(formatCatcherList(list))
  const spare = join(dirname(path), `.${basename(path)}.tmp`)
  const former = join(dirname(path), `.${basename(path)}.old`)
  // A writer that was killed before its last step has left the spare under the other name. A writer that was killed earlier has left a second name of the list
  // there.
  if (existsSync(spare)) rmSync(former, { force: true })
  else ifThere(() => renameSync(former, spare))
  overwrite(spare, bytes)
  const isFirst = !ifThere(() => linkSync(path, former))
  renameSync(spare, path)
  if (isFirst) reserveSpare(spare, bytes)
  else renameSync(former, spare)
}

/** Make a spare for the first list, unless the disk is full. */
function reserveSpare(spare: string, bytes: Buffer): void {
  try {
    overwrite(spare, bytes)
  } catch (error) {
    if (!isFull(error)) throw error
  }
}

/** Overwrite a file in place. The file grows first, because only growing can fail on a full disk. */
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

/** Do something with a file. Returns whether the file exists. */
function ifThere(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

/** Make the FIFO that wakes the catcher, unless it exists. */
export function ensureWake(path: string): void {
  const file = openBothEnds(path)
  if (file === null) execFileSync('mkfifo', ['-m', '600', path])
  else closeSync(file)
}

/** Wake the catcher, so that it reads the list. Nothing happens without a catcher: it reads the list when it starts. */
export function wake(path: string): void {
  const file = openBothEnds(path)
  if (file === null) return
  try {
    writeSync(file, '\n')
  } catch (error) {
    // The FIFO is full, so the catcher wakes anyway.
    if (!isErrno(error, 'EAGAIN')) throw error
  } finally {
    closeSync(file)
  }
}

/** Open a FIFO for reading and writing; null when it does not exist. */
export function openBothEnds(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
