import { access } from 'node:fs/promises'

/** Tell whether an error of the operating system has one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Tell whether an error says that a file is not there. All else, such as too many open files or a failing disk, says nothing about the file. */
export function isAbsent(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ENOTDIR')
}

/** Tell whether an error says that the disk, or this user's part of it, is full. */
export function isFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT')
}

/** Tell whether an error of reading `/proc/<pid>` or of a signal says that the process is gone. */
export function isProcessGone(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ESRCH')
}

/** Tell whether something is at a path. @throws what keeps this from being known. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
