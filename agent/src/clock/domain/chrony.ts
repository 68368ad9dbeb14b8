/** What a time server on the node knows of UTC. */
export interface UtcClock {
  /** What to add to the wall clock to get UTC, in seconds. */
  readonly offsetS: number
  /** How far that may be wrong, in seconds. */
  readonly errorS: number
}

/** The number of fields of a line of `chronyc -c tracking`. */
const fieldCount = 14

/**
 * Read what `chronyc -c tracking` prints: reference id, reference, stratum, time of the last update, how far the system's clock is behind, last and RMS offset, frequency,
 * residual frequency, skew, root delay, root dispersion, update interval, leap status. Returns null when chrony is not synchronized, and for anything else.
 *
 * The error is the root dispersion and half of the root delay, as in the bound that chrony states: clock_error <= |system_time_offset| + root_dispersion + (0.5 * root_delay).
 * It holds as far as the server at the root is right. Source: chronyc(1), `tracking`; client.c of chrony 4.3 for the order and the signs; RFC 5905, section 11.2.
 */
export function parseTracking(text: string): UtcClock | null {
  const fields = text.trim().split(',')
  if (fields.length !== fieldCount) return null
  const [stratum, behindS, delayS, dispersionS] = [
    fields[2],
    fields[4],
    fields[10],
    fields[11],
  ].map((field) => (field === undefined || field === '' ? Number.NaN : Number(field)))
  const isSynchronized = stratum !== undefined && stratum >= 1 && stratum <= 15
  if (!isSynchronized || fields[13] === 'Not synchronised') return null
  if (behindS === undefined || delayS === undefined || dispersionS === undefined) return null
  const errorS = dispersionS + delayS / 2
  return Number.isFinite(behindS) && errorS >= 0 ? { offsetS: behindS, errorS } : null
}
