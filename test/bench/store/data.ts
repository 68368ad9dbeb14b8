import type { PlacedSample } from '../../../server/src/telemetry/domain/sample.ts'

/** What one round stores: rows of ten numbers, as a node measures of itself and of its links. */
export interface DataSize {
  readonly nodes: number
  /** One row of each node a second. */
  readonly seconds: number
}

/** The first moment: the beginning of an hour, in milliseconds since the epoch. */
export const startMs = Date.UTC(2026, 9, 1)

/** The numbers of a row, by name. A counter, a gauge, a ratio and a duration have the decimals that programs write. */
export const fieldNames = [
  'busy_ratio',
  'free_bytes',
  'received_bytes_total',
  'sent_bytes_total',
  'load',
  'temperature_celsius',
  'rtt_s',
  'loss_ratio',
  'quality',
  'uptime_s',
] as const

/** A generator of numbers from 0 to 1 that are the same in each run (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Generates the rows of one node, in the order of time. */
export function makeNode(node: number): (second: number) => readonly number[] {
  const random = makeRandom(node + 1)
  let free = 200_000
  let received = 0
  let sent = 0
  return (second) => {
    free += Math.floor(random() * 11) - 5
    received += Math.floor(random() * 1_000_000)
    sent += Math.floor(random() * 100_000)
    return [
      round(0.5 + 0.4 * Math.sin(second / 500 + node) + 0.05 * (random() - 0.5), 3),
      4_096 * free,
      received,
      sent,
      round(1 + 0.9 * Math.sin(Math.floor(second / 5) / 100 + node), 2),
      round(45 + 5 * Math.sin(second / 2_000 + node) + 0.2 * (random() - 0.5), 1),
      round(0.02 * Math.exp((random() + random() + random() - 1.5) / 2), 6),
      random() > 0.98 ? round(random(), 2) : 0,
      70 + Math.floor(20 * Math.sin(second / 300 + node)),
      1_000 * node + second,
    ]
  }
}

function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}

/** The samples of a node from one moment to another. */
export function placedSamples(
  row: (second: number) => readonly number[],
  { from, to }: { readonly from: number; readonly to: number },
): PlacedSample[] {
  return Array.from({ length: to - from }, (_, at) => ({
    seq: from + at + 1,
    timeUs: (startMs + (from + at) * 1_000) * 1_000,
    ...{ scope: 'slice-1', name: 'bench', sliver: null },
    fields: Object.fromEntries(
      row(from + at).map((value, field) => [fieldNames[field] ?? '', value]),
    ),
  }))
}
