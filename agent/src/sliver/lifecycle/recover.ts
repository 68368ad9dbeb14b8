import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import type { Records } from '../store/records.ts'
import { afterEnd, endProcesses, noGrace } from './end.ts'
import { reasonOfEnd, type SliverParts } from './parts.ts'

/** The slivers that run, by what their records tell. */
export async function findRunning(records: Records): Promise<readonly SliverRecord[]> {
  const running: SliverRecord[] = []
  for (const record of records.all())
    if (record.stage === 'started' && record.process !== null && (await isAlive(record.process)))
      running.push(record)
  return running
}

/**
 * Note what has become of the slivers that an earlier agent has left: watch those that run, and note which have ended while no agent looked. Returns the
 * records of the slivers that must be cleaned up after; until that is done they are in `unclean`.
 */
export async function recover(
  parts: SliverParts,
  running: readonly SliverRecord[],
): Promise<readonly SliverRecord[]> {
  const ended: SliverRecord[] = []
  for (const record of parts.records.all()) {
    if (running.includes(record)) {
      if (record.process !== null) parts.watch.add(record.id, record.process)
      continue
    }
    parts.unclean.add(record.id)
    ended.push(record)
    if (record.stage !== 'started') continue
    try {
      const reason = await reasonOfEnd(parts, record)
      await parts.records.save(afterEnd(record, reason))
    } catch (error) {
      // One sliver's trouble, or a full disk, does not keep the others from being found.
      parts.node.onProblem(record.id, error)
    }
  }
  return ended
}

/** Clean up after a sliver of which an agent before may have left something. */
export async function cleanUp(parts: SliverParts, record: SliverRecord): Promise<void> {
  if (!parts.unclean.has(record.id)) return
  await endProcesses(parts, record, noGrace)
  const now = parts.records.get(record.id)
  if (now !== undefined && now.stage !== 'started' && now.process !== null)
    await parts.records.save({ ...now, process: null })
}
