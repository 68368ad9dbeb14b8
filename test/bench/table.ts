/** The middle value; the mean of the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Seconds of several rounds as `median (least–most)`. */
export function formatRounds(seconds: readonly number[]): string {
  const format = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(1))
  return `${format(median(seconds))} s (${format(Math.min(...seconds))}–${format(Math.max(...seconds))})`
}

/** How many times slower the peer is, by medians. */
export function formatRatio(ours: readonly number[], peer: readonly number[]): string {
  return `${(median(peer) / median(ours)).toFixed(1)}x`
}

/** Print rows under a header, columns aligned, as a Markdown table that can be pasted. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  console.log(line(header))
  console.log(line(widths.map((width) => '-'.repeat(width))))
  for (const row of rows) console.log(line(row))
}
