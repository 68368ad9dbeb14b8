import { runCommand } from '../sliver/host/command.ts'
import { parseTracking, type UtcClock } from './domain/chrony.ts'

/** How long chronyc may take, in milliseconds. */
const withinMs = 2_000

/**
 * Ask the chronyd of this host what it knows of UTC. Returns null when none runs, or when it does not know either.
 * @param socket - the path of its command socket; default: where chronyc looks itself
 */
export async function askChrony(signal: AbortSignal, socket?: string): Promise<UtcClock | null> {
  const at = socket === undefined ? [] : ['-h', socket]
  try {
    const until = AbortSignal.any([signal, AbortSignal.timeout(withinMs)])
    return parseTracking(
      await runCommand(['chronyc', '-n', '-c', ...at, 'tracking'], { signal: until }),
    )
  } catch {
    // It is not installed, does not run, or gives no answer.
    return null
  }
}
