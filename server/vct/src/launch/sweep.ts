import { execFile, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import { systemPath } from '../network/namespace.ts'
import { removeCgroupParent } from '../pod/cgroup.ts'
import type { Folders } from '../pod/folders.ts'
import { ownProgram } from '../process/own-program.ts'

/**
 * Remove what outlives a pod that was killed: its cgroups, its sockets, the folder where its `/run` was made. Only for whoever holds the home's lock.
 */
export async function sweep(folders: Folders): Promise<void> {
  await removeCgroupParent(folders.hash)
  for (const dir of [folders.run, folders.stage]) await removeFolder(dir)
}

/** A process that sweeps when this one is killed. */
export interface Sweeper {
  /** Let it go: there is nothing to sweep any more. */
  dismiss(): void
}

/** A shell waits, for it is small; it becomes the sweeper when this process ends without having dismissed it. */
const vigil = 'read -r word && [ "$word" = dismissed ] || exec "$@"'

/** Post a sweeper. It is in a session of its own: no Ctrl-C and no closed terminal reaches it. */
export function postSweeper(home: string): Sweeper {
  const main = ownProgram(import.meta.filename, 'sweep-main')
  const child = spawn('/bin/sh', ['-c', vigil, 'sweeper', process.execPath, main, home], {
    cwd: '/',
    detached: true,
    env: { PATH: systemPath },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {
    // Without a sweeper the next start sweeps.
  })
  child.stdin.on('error', () => {
    // The sweeper was killed. Then, too, the next start sweeps.
  })
  child.unref()
  return { dismiss: () => void child.stdin.end('dismissed\n') }
}

/** Remove a folder in which another user of the pod, whom only the pod's user namespace knows, may have something. */
async function removeFolder(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true })
  } catch (error) {
    if (process.geteuid?.() === 0) throw error
    const mapped = ['--user', '--map-auto', '--map-root-user', '--']
    await promisify(execFile)('unshare', [...mapped, 'rm', '-rf', '--', dir], {
      env: { PATH: systemPath },
    })
  }
}
