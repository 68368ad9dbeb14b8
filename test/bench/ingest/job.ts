/** What one round of the benchmark sends. A sample is one number with its name and time, as in Prometheus. */
export interface Job {
  readonly name: string
  readonly nodes: number
  readonly batchesPerNode: number
  /** Moments in one batch. */
  readonly rows: number
  /** Numbers that are measured at each moment. */
  readonly fields: number
}

/** The jobs: numbers of one moment together, as of a node's health, and a number for each moment, as of a program that measures round trips. */
export const jobs: readonly Job[] = [
  { name: '10 a batch, of one moment', nodes: 100, batchesPerNode: 500, rows: 1, fields: 10 },
  { name: '10 a batch, one a moment', nodes: 100, batchesPerNode: 500, rows: 10, fields: 1 },
  { name: '500 a batch, 50 moments', nodes: 100, batchesPerNode: 50, rows: 50, fields: 10 },
  { name: '500 a batch, one a moment', nodes: 100, batchesPerNode: 50, rows: 500, fields: 1 },
]

/** The samples of a job. */
export function samplesOf({ nodes, batchesPerNode, rows, fields }: Job): number {
  return nodes * batchesPerNode * rows * fields
}

/** The value of a field at a moment: like the utilization of a processor, with four digits. */
export function valueAt(node: number, row: number, field: number): number {
  const wave = Math.sin(row / 20 + field) * Math.cos(node + row / 7)
  return Math.round((50 + 40 * wave) * 10_000) / 10_000
}

/** The name of a field. */
export function fieldName(field: number): string {
  return `busy_${field}_ratio`
}

/** The time of a moment, in milliseconds since the epoch: a tenth of a second apart, the last of them about now. */
export function timeMs({ batchesPerNode, rows }: Job, startMs: number, row: number): number {
  return startMs - (batchesPerNode * rows - row) * 100
}
