import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { PlacedSample } from '../../../../server/src/telemetry/domain/sample.ts'
import type { TelemetryStore } from '../../../../server/src/telemetry/store.ts'
import { aSample, readAll } from './world.ts'

export const hourMs = 3_600_000
/** The beginning of a day. */
export const day = Date.UTC(2026, 9, 1)

/** Samples of a slice’s measurement, one a minute, from a time on. */
export function minutes(
  firstSeq: number,
  { at, count, fields }: { at: number; count: number; fields?: (n: number) => object },
): PlacedSample[] {
  return Array.from({ length: count }, (_, n) =>
    aSample(firstSeq + n, {
      timeUs: (at + n * 60_000) * 1000,
      scope: 'slice-1',
      name: 'rtt',
      sliver: '1@1',
      fields: { rtt_s: (firstSeq + n) / 1000, run: 'a', ...fields?.(n) },
    }),
  )
}

/** Read the rows of the measurement that {@link minutes} makes. */
export const readRtt = (store: TelemetryStore) => readAll(store, 'rtt', 'slice-1')

/** Seal what is due. The first round only notes which rows are there. */
export async function compact(store: TelemetryStore, atMs: number) {
  const first = await store.compact(atMs)
  const second = await store.compact(atMs)
  expect([...first.failures, ...second.failures]).toEqual([])
  const sum = (of: 'sealed' | 'rows' | 'merged') => first[of] + second[of]
  return { sealed: sum('sealed'), rows: sum('rows'), merged: sum('merged') }
}

/** List the sealed files of a store, in order. */
export async function sealedFiles(dir: string): Promise<string[]> {
  const found = await readdir(join(dir, 'parquet'), { recursive: true })
  return found.filter((name) => name.endsWith('.parquet')).sort()
}
