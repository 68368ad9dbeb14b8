import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isTincdOf } from '@community-lab/contract'

const termForMs = 2_000
const giveUpAfterMs = 7_000
const pollMs = 20
/** What reading a process's command line fails with where it is gone, or another user's. */
const harmless = new Set<unknown>(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

/**
 * Stop every tincd that runs on this folder: one that outlived its killed supervisor still holds the port and the interface, and its log goes nowhere.
 * It is found by its command line, not by its pid file, for pids are used again. Returns the pids that were stopped.
 * @throws when one has not ended 5 s after it was killed, which a process that waits for a device does not.
 */
export async function stopLeftovers(dir: string, proc = '/proc'): Promise<readonly number[]> {
  const pids = await findTincds(dir, proc)
  for (const pid of pids) kill(pid, 'SIGTERM')
  for (let waitedMs = 0; (await findTincds(dir, proc)).length > 0; waitedMs += pollMs) {
    if (waitedMs === termForMs) for (const pid of await findTincds(dir, proc)) kill(pid, 'SIGKILL')
    if (waitedMs >= giveUpAfterMs) {
      const left = (await findTincds(dir, proc)).join(', ')
      throw new Error(`a tincd from before (process ${left}) does not end`)
    }
    await delay(pollMs)
  }
  return pids
}

async function findTincds(dir: string, proc: string): Promise<readonly number[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/u.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        // Looked at first: reading the command line of a process that waits for a device may never end.
        if ((await readFile(`${proc}/${pid}/comm`, 'utf8')).trim() !== 'tincd') return []
        // A zombie has an empty command line. It holds neither port nor interface any more.
        const argv = (await readFile(`${proc}/${pid}/cmdline`, 'utf8')).split('\0')
        return isTincdOf(argv, dir) ? [pid] : []
      } catch (error) {
        // It ended while we looked, or is somebody else's. All else, such as too many open files, does not say that there is none.
        if (error instanceof Error && 'code' in error && harmless.has(error.code)) return []
        throw error
      }
    }),
  )
  return found.flat()
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}
