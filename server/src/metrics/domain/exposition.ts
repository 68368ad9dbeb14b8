/** A time series of a scrape: its labels and its latest value. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric of a scrape. */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly series: readonly Series[]
}

/** The media type of {@link writeExposition}. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

/** Write metrics as a Prometheus server reads them. Source: Prometheus, exposition formats, text format 0.0.4. */
export function writeExposition(metrics: readonly Metric[]): string {
  const lines: string[] = []
  for (const { name, help, type, series } of metrics) {
    lines.push(`# HELP ${name} ${escape(help, false)}`, `# TYPE ${name} ${type}`)
    for (const { labels, value } of series)
      lines.push(`${name}${writeLabels(labels)} ${writeNumber(value)}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}

function writeLabels(labels: Series['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value, true)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escape(text: string, isLabel: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return isLabel ? escaped.replaceAll('"', '\\"') : escaped
}

function writeNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
