/** Units by the suffix of a name. Source: Prometheus, "Metric and label naming", base units; and units of radio links, which have no base unit there. */
const units: Readonly<Record<string, string>> = {
  s: 's',
  seconds: 's',
  bytes: 'bytes',
  bps: 'bit/s',
  hz: 'Hz',
  celsius: '°C',
  ratio: 'ratio',
  pct: '%',
  m: 'm',
  dbm: 'dBm',
  db: 'dB',
  v: 'V',
  a: 'A',
  w: 'W',
}

/** Suffixes of units that are not base units, and what to write instead. */
const scaled: Readonly<Record<string, string>> = {
  ms: 'seconds, in a field whose name ends with _s',
  us: 'seconds, in a field whose name ends with _s',
  ns: 'seconds, in a field whose name ends with _s',
  msec: 'seconds, in a field whose name ends with _s',
  usec: 'seconds, in a field whose name ends with _s',
  kb: 'bytes, in a field whose name ends with _bytes',
  mb: 'bytes, in a field whose name ends with _bytes',
  gb: 'bytes, in a field whose name ends with _bytes',
  kib: 'bytes, in a field whose name ends with _bytes',
  mib: 'bytes, in a field whose name ends with _bytes',
  gib: 'bytes, in a field whose name ends with _bytes',
  kbps: 'bits a second, in a field whose name ends with _bps',
  mbps: 'bits a second, in a field whose name ends with _bps',
  gbps: 'bits a second, in a field whose name ends with _bps',
  percent: 'a ratio (0.5 for 50 percent), in a field whose name ends with _ratio',
}

/**
 * Return the unit that the name of a field or column ends with (`rtt_s`: `s`). The suffixes `_total` of a counter and `_as_number` are ignored. null: the name
 * ends with no known unit.
 */
export function maybeUnitOf(name: string): string | null {
  return lookUp(units, suffixOf(name))
}

/** Return what to measure instead of a unit that is not a base unit, such as `ms`, when a name ends with it; null when it does not. */
export function maybeBaseUnitAdvice(name: string): string | null {
  return lookUp(scaled, suffixOf(name))
}

/** Return the suffix that a name needs for a unit, without the underscore; null: the unit has none. */
export function suffixFor(unit: string): string | null {
  return Object.entries(units).find(([, one]) => one === unit)?.[0] ?? null
}

function suffixOf(given: string): string {
  const name = given.replace(/_as_(?:number|integer)$/u, '').replace(/_total$/u, '')
  const end = name.lastIndexOf('_')
  return end > 0 ? name.slice(end + 1) : ''
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null
}
