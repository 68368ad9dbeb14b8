import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/**
 * Wait until a process that was just spawned runs. Its pipes are there only then: where files or processes are used up, `spawn` returns a child without them
 * and tells the error by an event, which would end this process if nobody listened.
 * @throws what kept it from being started, such as EMFILE, EAGAIN or ENOENT.
 */
export async function startedProcess<T extends ChildProcess>(child: T): Promise<T> {
  await once(child, 'spawn')
  // A signal that could not be sent. Whoever waits for the end of the process sees that it goes on.
  child.on('error', () => undefined)
  return child
}
