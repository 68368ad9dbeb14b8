import { execFile, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import { systemPath } from '../network/namespace.ts'
import { removeCgroupParent } from '../pod/cgroup.ts'
import type { Folders } from '../pod/folders.ts'
import { ownProgram } from '../process/own-program.ts'

/**
 * Remove the leftovers of a pod that was killed: its cgroups, its sockets, the folder where its `/run` was created. Only the holder of the home's lock may call
 * this.
 */
export async function sweep(folders: Folders): Promise<void> {
  await removeCgroupParent(folders.hash)
  for (const dir of [folders.run, folders.stage]) await removeFolder(dir)
}

/** A process that sweeps when this process is killed. */
export interface Sweeper {
  /** End the sweeper, because nothing is left to sweep. */
  dismiss(): void
}

/** A shell waits, because it needs little memory. It becomes the sweeper when this process ends without having dismissed it. */
const vigil = 'read -r word && [ "$word" = dismissed ] || exec "$@"'

/** Start a sweeper. It has its own session, so Ctrl-C and a closed terminal do not reach it. */
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

/** Remove a folder that may contain files of another user of the pod, whom only the pod's user namespace knows. */
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
