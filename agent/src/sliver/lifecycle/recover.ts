import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import type { Records } from '../store/records.ts'
import { afterEnd, endProcesses, noGrace } from './end.ts'
import { reasonOfEnd, type SliverParts } from './parts.ts'

/** Return the slivers that run, according to their records. */
export function findRunning(records: Records): readonly SliverRecord[] {
  const running: SliverRecord[] = []
  for (const record of records.all())
    if (record.stage === 'started' && record.process !== null && isAlive(record.process))
      running.push(record)
  return running
}

/**
 * Record which slivers of an earlier agent have ended while no agent ran. Returns the records of the slivers that need a cleanup; until then they are in
 * `unclean`.
 */
export async function recover(
  parts: SliverParts,
  running: readonly SliverRecord[],
): Promise<readonly SliverRecord[]> {
  const ended: SliverRecord[] = []
  for (const record of parts.records.all()) {
    if (running.includes(record)) continue
    parts.unclean.add(record.id)
    ended.push(record)
    if (record.stage !== 'started') continue
    try {
      const reason = await reasonOfEnd(parts, record)
      await parts.records.save(afterEnd(record, reason))
    } catch (error) {
      // A failure of one sliver, or a full disk, does not stop the search for the others.
      parts.node.onProblem(record.id, error)
    }
  }
  return ended
}

/** Clean up after a sliver that does not run, if its processes, links or cgroups may still exist. */
export async function cleanUp(parts: SliverParts, id: string): Promise<void> {
  const record = parts.records.get(id)
  if (record === undefined || record.stage === 'started' || !parts.unclean.has(id)) return
  await endProcesses(parts, record, noGrace)
  if (record.process !== null) await parts.records.save({ ...record, process: null })
}
