import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from '@community-lab/contract'
import { reasonOf, runCommand } from './sliver/host/command.ts'

/**
 * The longest time from the command until the host is down, in seconds. A service that does not stop may delay it. Source: systemd's DefaultTimeoutStopSec, 90
 * s.
 */
const defaultPatienceS = 120

/**
 * Return the function that reboots this host: it runs the owner's shell command, or does nothing without one.
 *
 * Without a command, the returned function resolves at once. With a command, it never settles when the host reboots, because the process ends first. It throws
 * {@link LabError} LAB_AGENT_REBOOT_FAILED when the command fails, or when the host is still up after `patienceS` seconds, whether the command has ended or
 * not. An abort throws the signal's reason.
 */
export function rebootWith(
  command: string | null,
  patienceS = defaultPatienceS,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (command === null) return
    const late = AbortSignal.timeout(patienceS * 1000)
    const either = AbortSignal.any([signal, late])
    try {
      await runCommand(['sh', '-c', command], { signal: either })
    } catch (error) {
      signal.throwIfAborted()
      const reason = late.aborted ? `it has not ended ${patienceS} s later` : reasonOf(error)
      throw new LabError('LAB_AGENT_REBOOT_FAILED', { command, reason })
    }
    await delay(patienceS * 1000, undefined, { signal: either }).catch(() => {
      // The time is over, or this process is about to end.
    })
    signal.throwIfAborted()
    const reason = `this host is still up ${patienceS} s later`
    throw new LabError('LAB_AGENT_REBOOT_FAILED', { command, reason })
  }
}
