import { vi } from 'vitest'

/**
 * How long tests wait for what has to come, in milliseconds. It ends a wait that has no end, and measures nothing: the slowest machine needs less. Vitest's own
 * times, of a second for `vi.waitFor` and of five for a test, end what a busy machine has not come to yet.
 */
export const patienceMs = 60_000

/** Look again and again until a look throws nothing. Returns what it gave. */
export function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: patienceMs, interval: 50 })
}
