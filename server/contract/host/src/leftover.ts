import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isTincdOf } from '@community-lab/contract'

const termForMs = 2_000
const giveUpAfterMs = 7_000
const pollMs = 20
/** The errors of reading the command line of a process that has ended or belongs to another user. */
const harmless = new Set<unknown>(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

/**
 * Stop every tincd that runs on a folder. A tincd that outlived its killed supervisor still holds the port and the interface, and its log goes nowhere. It is
 * identified by its command line, not by its pid file, because pids are reused. Returns the pids that were stopped.
 * @throws when one has not ended 5 s after SIGKILL, because it waits for a device.
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
        // Read this first: reading the command line of a process that waits for a device may never end.
        if ((await readFile(`${proc}/${pid}/comm`, 'utf8')).trim() !== 'tincd') return []
        // A zombie has an empty command line. It holds neither port nor interface any more.
        const argv = (await readFile(`${proc}/${pid}/cmdline`, 'utf8')).split('\0')
        return isTincdOf(argv, dir) ? [pid] : []
      } catch (error) {
        // The process has ended or is another user's. Any other error, such as too many open files, does not mean that there is none.
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
    // It has just ended by itself.
  }
}
