import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createTelemetryStore,
  type TelemetryStore,
  type TelemetryStoreOptions,
} from '../../../../server/src/telemetry/store.ts'
import type { PlacedSample } from '../../../../server/src/telemetry/domain/sample.ts'

/** A spool of the tests. */
export const spool = '11111111-2222-4333-8444-555555555555'

/** Asks for all rows, as a reader with a token does. */
export const allRows = {
  run: null,
  after: 0,
  fromUs: null,
  toUs: null,
  reader: 'token 1',
  isAnonymous: false,
}

/** A sample of node `n1`, `seq` ms after the epoch. */
export function aSample(seq: number, changes: Partial<PlacedSample> = {}): PlacedSample {
  const fields = { busy_ratio: seq / 2 }
  return { seq, timeUs: seq * 1000, scope: 'node', name: 'cpu', sliver: null, fields, ...changes }
}

/** Samples `from` to `to`, both included. */
export function samples(
  from: number,
  to: number,
  changes: Partial<PlacedSample> = {},
): PlacedSample[] {
  return Array.from({ length: to - from + 1 }, (_, index) => aSample(from + index, changes))
}

/** Samples as node 1 sends them. */
export function fromNode(batch: readonly PlacedSample[]) {
  return { nodeId: 1, node: 'n1', spool, samples: batch }
}

/** A folder that goes with the test. */
export async function makeFolder(
  parent = tmpdir(),
): Promise<{ readonly dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(parent, 'lab-telemetry-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** A store that commits without delay. */
export function openStore(
  dir: string,
  options: Partial<TelemetryStoreOptions> = {},
): Promise<TelemetryStore> {
  return createTelemetryStore({ dir, commitDelayMs: 1, ...options })
}

/** All rows of a measurement as objects, in the order of landing. */
export async function readAll(
  store: TelemetryStore,
  name: string,
  scope = 'node',
): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = []
  for (let after = 0; ;) {
    const { batch, readTo } = await store.rows({ scope, name, after, run: null, limit: 10_000 })
    if (batch === null) return all
    const { columns, rows } = batch
    for (const row of rows)
      all.push(Object.fromEntries(columns.map((column, at) => [column, row[at]])))
    after = readTo
  }
}

/** Text that no compression makes much smaller. */
export function randomText(characters: number): string {
  return randomBytes(Math.ceil(characters / 2))
    .toString('hex')
    .slice(0, characters)
}
