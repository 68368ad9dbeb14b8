const units: Readonly<Record<string, string>> = {
  s: 's',
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

/** The unit that a column's name ends with, as `sample-line.ts` asks (`rtt_s`: seconds); null when it names none known here. */
export function maybeUnitOf(column: string): string | null {
  const end = column.lastIndexOf('_')
  const suffix = column.slice(end + 1)
  return end > 0 && Object.hasOwn(units, suffix) ? (units[suffix] ?? null) : null
}
