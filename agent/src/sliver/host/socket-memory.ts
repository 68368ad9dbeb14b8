import { readFileSync } from 'node:fs'
import { isErrno, isProcessGone } from '../../errno.ts'
import { heldInTable, uncountedTables } from '../domain/socket-memory.ts'

/** Return what the packet and raw sockets of a process's network namespace hold, in bytes. 0: the process has ended. */
export function readSocketMemory(pid: number): number {
  return uncountedTables.reduce(
    (bytes, name) => bytes + heldInTable(name, readTable(`/proc/${pid}/net/${name}`)),
    0,
  )
}

/** Read a table at once: these files are in memory, and the way through a thread takes ten times as long. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // A kernel without IPv6 has not all of them, and a zombie has none.
    if (isProcessGone(error) || isErrno(error, 'EINVAL')) return ''
    throw error
  }
}
