import { droppedMeasurement, lossMeasurements } from '@community-lab/contract/samples'
import { maybeSliceOf, measurementKey, nodeScope, quoteText, tableOf } from '../domain/name.ts'
import { tellRemovals } from '../domain/removal.ts'
import { planRemovals, type Keep, type Removal } from '../domain/sealing.ts'
import { commitChange } from './commit-change.ts'
import type { Ingest } from './ingest.ts'
import type { SealedFiles } from './sealed-files.ts'

/** What {@link removeOldRows} needs. */
export interface RemovalContext {
  readonly keep: Keep
  readonly ingest: Ingest
  readonly files: SealedFiles
  /** Called after each change with the measurements whose rows were removed, and with that which tells it. */
  onRemoved(measurements: readonly string[], tells: string): void
}

/** How rows that the server itself writes name their node and spool. */
const teller = { node: 'server', nodeId: 0, spool: 'server' } as const

/**
 * Remove the files of each scope that has more than it keeps. One transaction removes them from the manifest, counts their rows, and tells of them in the scope's `dropped`. Returns
 * the number of files.
 */
export async function removeOldRows(
  { keep, ingest, files, onRemoved }: RemovalContext,
  nowUs: number,
): Promise<number> {
  let removed = 0
  for (const [scope, of] of Map.groupBy(files.all(), (file) => file.scope)) {
    const kept = keptOf(scope, keep)
    const removals = planRemovals(of, { ...kept, nowUs })
    if (removals.length === 0) continue
    const canTell = await prepareTelling(ingest, scope)
    await ingest.exclusive(async (writing) => {
      const told = canTell ? planTelling(ingest, { scope, removals, kept, nowUs }) : []
      const change = { added: [], retired: removals.map(({ file }) => file), isRemoval: true }
      await commitChange({ writing, files }, change, { told })
      noteTold(ingest, scope)
    })
    removed += removals.length
    const keys = removals.map(({ file }) => measurementKey(file.scope, file.name))
    onRemoved([...new Set(keys)], measurementKey(scope, droppedMeasurement))
  }
  return removed
}

function keptOf(scope: string, keep: Keep): { readonly days: number; readonly bytes: number } {
  return scope === nodeScope || maybeSliceOf(scope) === null
    ? { days: keep.nodeDays, bytes: keep.nodeBytes }
    : { days: keep.sliceDays, bytes: keep.sliceBytes }
}

/** Make the table that tells. Returns false when the scope has as many measurements as it may have: then the list of measurements alone tells. */
async function prepareTelling(ingest: Ingest, scope: string): Promise<boolean> {
  const fields = lossMeasurements[droppedMeasurement] ?? {}
  const measurements = [{ name: droppedMeasurement, fields }]
  return (await ingest.declare({ scope, measurements })) === null
}

interface Telling {
  readonly scope: string
  readonly removals: readonly Removal[]
  readonly kept: { readonly days: number; readonly bytes: number }
  readonly nowUs: number
}

/** Return the statements that write the rows. Their numbers are taken from the catalog. */
function planTelling(
  { catalog }: Ingest,
  { scope, removals, kept, nowUs }: Telling,
): readonly string[] {
  const rows = tellRemovals(removals, { ...kept, except: droppedMeasurement })
  const { node, nodeId, spool } = teller
  const inserts = rows.map(({ lines, reason }) => {
    const landed = ++catalog.landed
    return `insert into ${tableOf({ scope, name: droppedMeasurement })} by name
      select make_timestamp(${nowUs}::bigint) as "time", ${quoteText(node)} as node, ${nodeId} as node_id, ${landed} as seq,
        ${quoteText(spool)} as spool, ${landed} as landed, ${lines}::double as lines, ${quoteText(reason)} as reason`
  })
  return [...inserts, `update main.store set landed = ${catalog.landed}`]
}

function noteTold({ catalog }: Ingest, scope: string): void {
  catalog.committedLanded = catalog.landed
  const table = catalog.tables.get(measurementKey(scope, droppedMeasurement))
  if (table !== undefined) table.extent = null
}
