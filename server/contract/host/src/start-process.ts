import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/**
 * Wait until a process that was just spawned runs. When files or processes are exhausted, `spawn` returns a child without pipes and reports the error by an
 * event, which would end this process if nobody listened.
 * @throws why the process was not started, such as EMFILE, EAGAIN or ENOENT.
 */
export async function startedProcess<T extends ChildProcess>(child: T): Promise<T> {
  await once(child, 'spawn')
  // A signal could not be sent. The code that waits for the end of the process notices that it goes on.
  child.on('error', () => undefined)
  return child
}
