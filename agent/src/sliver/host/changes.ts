import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { startedProcess } from '@community-lab/contract/host'
import { backoffMs } from '@community-lab/contract'
import { isAdditionToSliverLink } from '../domain/monitor-line.ts'
import { systemPath } from './command.ts'

/** A change of this network namespace: of its packet filters; or of its links, addresses and routes. */
export type NetworkChange = 'filters' | 'links'

/** The commands that print a line for each change. */
const monitors = [
  { change: 'filters', argv: ['nft', 'monitor'] },
  { change: 'links', argv: ['ip', '-6', '-o', 'monitor', 'link', 'address', 'route'] },
] as const

const backoff = { firstMs: 1_000, longestMs: 60_000 }

/**
 * Call back on each change of this network namespace's packet filters, links, addresses and routes, by any program, until the signal ends it. Additions to slivers' links are not
 * reported, because the agent makes them. A monitor that ends is started again. Changes meanwhile are not reported, so the caller must also check at intervals. A monitor never
 * outlives this process.
 */
export async function watchNetwork(
  onChange: (change: NetworkChange) => void,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    monitors.map(({ change, argv }) =>
      keepWatching(argv, { onChange: () => onChange(change), signal }),
    ),
  )
}

interface Watching {
  readonly onChange: () => void
  readonly signal: AbortSignal
}

async function keepWatching(argv: readonly string[], watching: Watching): Promise<void> {
  const { onChange, signal } = watching
  let silentEnds = 0
  while (!signal.aborted) {
    const hasTold = await watchOnce(argv, watching)
    silentEnds = hasTold ? 1 : silentEnds + 1
    await delay(backoffMs(backoff, silentEnds), undefined, { signal }).then(onChange, () => {
      // The signal has ended the delay, and the loop ends.
    })
  }
}

/** Watch until the monitor ends. Returns whether it has reported anything. */
async function watchOnce(
  argv: readonly string[],
  { onChange, signal }: Watching,
): Promise<boolean> {
  const child = await startedProcess(
    spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      cwd: '/',
      env: { PATH: systemPath, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ).catch(() => null)
  // The command could not be started, because of too many files or processes or because this host lacks it. It is tried again.
  if (child === null) return false
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const end = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  let hasTold = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    hasTold = true
    if (!isAdditionToSliverLink(line)) onChange()
  })
  await ended
  signal.removeEventListener('abort', end)
  return hasTold
}
