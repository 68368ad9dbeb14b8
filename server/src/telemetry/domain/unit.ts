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

/**
 * Return the unit that a column's name ends with, as `sample-line.ts` requires it (`rtt_s`: seconds). The suffixes `_total` of a counter and `_as_number` are
 * ignored. Null when the name ends with no known unit. Source: Prometheus, metric and label naming (base units, `_total` last).
 */
export function maybeUnitOf(column: string): string | null {
  const name = column.replace(/_as_(?:number|integer)$/u, '').replace(/_total$/u, '')
  const end = name.lastIndexOf('_')
  const suffix = name.slice(end + 1)
  return end > 0 && Object.hasOwn(units, suffix) ? (units[suffix] ?? null) : null
}
