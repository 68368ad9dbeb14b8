import { vi } from 'vitest'

/**
 * The longest time that tests wait for an event, in milliseconds. It only ends an endless wait and measures nothing: the slowest machine needs less. Vitest's
 * own limits, a second for `vi.waitFor` and five for a test, would fail on a busy machine.
 */
export const patienceMs = 60_000

/** Repeat a check until it does not throw. Returns its value. */
export function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: patienceMs, interval: 50 })
}
