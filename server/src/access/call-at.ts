/** The clock is read at this interval, in milliseconds. After somebody has set the clock, a call is late by at most this much. */
const lookEveryMs = 60_000

/**
 * Call back at a time of this host's clock, in milliseconds since the epoch. The clock may be set meanwhile.
 * @returns cancels the call
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
