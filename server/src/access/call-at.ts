/** How often the clock is looked at, in milliseconds: what depends on a time of day is late by this much at most when somebody sets the clock. */
const lookEveryMs = 60_000

/**
 * Call back at a time, in milliseconds since the epoch, as this host's clock tells it: it may be set meanwhile, and stands still for no timer.
 * @returns what calls it off.
 */
export function callAt(atMs: number, call: () => void): () => void {
  let timer: NodeJS.Timeout
  const look = (): void => {
    const waitMs = Math.max(0, Math.min(atMs - Date.now(), lookEveryMs))
    timer = setTimeout(() => (Date.now() >= atMs ? call() : look()), waitMs)
    timer.unref()
  }
  look()
  return () => clearTimeout(timer)
}
