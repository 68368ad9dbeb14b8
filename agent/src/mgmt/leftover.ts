import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isTincdOf } from '@community-lab/contract'

const termForMs = 2_000
const pollMs = 20

/**
 * Stop every tincd that runs on this folder: one that outlived its killed supervisor still holds the port and the interface, and its log goes nowhere.
 * It is found by its command line, not by its pid file, for pids are used again. Returns the pids that were stopped.
 */
export async function stopLeftovers(dir: string): Promise<readonly number[]> {
  const pids = await findTincds(dir)
  for (const pid of pids) kill(pid, 'SIGTERM')
  for (let waitedMs = 0; (await findTincds(dir)).length > 0; waitedMs += pollMs) {
    if (waitedMs === termForMs) for (const pid of await findTincds(dir)) kill(pid, 'SIGKILL')
    await delay(pollMs)
  }
  return pids
}

async function findTincds(dir: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        // A zombie's command line is empty: it holds nothing any more.
        const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
        return isTincdOf(argv, dir) ? [pid] : []
      } catch {
        // It ended while we looked.
        return []
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
