import { readFileSync } from 'node:fs'
import process from 'node:process'

/** Return the first child of a process, read from /proc; null when it has none (any more). */
export function maybeChildOf(pid: number): number | null {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return first === undefined || first === '' ? null : Number(first)
  } catch {
    // The process has ended.
    return null
  }
}

/** Send a signal to a process that may have ended. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
