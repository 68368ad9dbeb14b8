import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from '@community-lab/contract'
import { reasonOf, runCommand } from './sliver/host/command.ts'

/** How long a host may take from the command to its end; a service that does not stop may hold it up. Source: systemd's DefaultTimeoutStopSec, 90 s. */
const patienceS = 120

/**
 * Make what reboots this host: the owner's shell command, or nothing without one.
 *
 * Without a command the returned function settles at once. With a command it never settles on a host that reboots, because the process ends first.
 * It throws {@link LabError} LAB_AGENT_REBOOT_FAILED when the command fails, or when the host is still up after two minutes.
 */
export function rebootWith(command: string | null): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (command === null) return
    try {
      await runCommand(['sh', '-c', command], { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw new LabError('LAB_AGENT_REBOOT_FAILED', { command, reason: reasonOf(error) })
    }
    await delay(patienceS * 1000, undefined, { signal })
    const reason = `this host is still up ${patienceS} s later`
    throw new LabError('LAB_AGENT_REBOOT_FAILED', { command, reason })
  }
}
