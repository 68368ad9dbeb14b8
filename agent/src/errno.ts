import { access } from 'node:fs/promises'

/** Tell whether an error of the operating system has one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Tell whether an error means that a file does not exist. Other errors, such as too many open files or a failing disk, mean nothing about the file. */
export function isAbsent(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ENOTDIR')
}

/** Tell whether an error means that the disk, or the user's quota, is full. */
export function isFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT')
}

/** Tell whether an error of reading `/proc/<pid>` or of a signal means that the process is gone. */
export function isProcessGone(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'ESRCH')
}

/** Tell whether a path exists. @throws an error that prevents the answer. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
