import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LabError } from '@community-lab/contract'

/**
 * Lock a folder for this process, until the lock is disposed of or the process ends in any way.
 *
 * SQLite locks a file by a lock of the kernel. So a lock never stays behind, and it holds across network and process namespaces. Nothing is written into the
 * file. The locks of the agent and of the virtual testbed tell who holds them, which takes a file with a pid or a socket. Nobody needs to know who holds this
 * one.
 * @throws {@link LabError} LAB_SERVER_FOLDER_IN_USE.
 */
export function lockFolder(dir: string): Disposable {
  const file = new DatabaseSync(join(dir, 'server.lock'), { timeout: 0 })
  try {
    file.exec('begin exclusive')
  } catch (cause) {
    file.close()
    // SQLITE_BUSY. Source: sqlite.org/rescode.html.
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === 5)
      throw new LabError('LAB_SERVER_FOLDER_IN_USE', { dir }, { cause })
    throw cause
  }
  return { [Symbol.dispose]: () => file.close() }
}
