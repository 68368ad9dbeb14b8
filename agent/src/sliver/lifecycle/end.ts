import { writeFile } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import { endContainer } from '../container.ts'
import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import { removeTrees } from '../store/records.ts'
import { removeRoot } from '../store/root.ts'
import { endingFile, reasonOfEnd, type SliverParts } from './parts.ts'
import { pruneData } from './with-data.ts'
import { stopUnreadable } from './unreadable.ts'

/** An aborted signal: processes are killed at once, without SIGTERM and without a grace period. */
export const noGrace = AbortSignal.abort()

/**
 * End a sliver's processes, links and cgroups, as far as they exist. Until all of that has succeeded, the sliver counts as unclean, and upkeep tries again.
 * When its processes are gone, it does not count as started any more, even if something else is left. Returns its record at that time.
 */
export async function endProcesses(
  parts: SliverParts,
  record: SliverRecord,
  signal: AbortSignal,
): Promise<SliverRecord> {
  parts.unclean.add(record.id)
  // Without it, a run whose program ends long before the last one of the sliver would seem to have ended by itself.
  await writeFile(endingFile(parts.records.folder(record.id)), '').catch(() => {
    // The disk is full, or the folder is gone. The sliver has to end all the same.
  })
  try {
    await endContainer(parts.host, record, signal)
  } catch (error) {
    if (record.process === null || !isAlive(record.process)) await noteStopped(parts, record.id)
    throw error
  }
  parts.unclean.delete(record.id)
  return record
}

/** Stop a sliver. Its data is kept. Idempotent. */
export async function stop(parts: SliverParts, id: string, signal: AbortSignal): Promise<void> {
  const { records } = parts
  const unreadable = parts.unreadable.get(id)
  if (unreadable !== undefined) return stopUnreadable(parts, unreadable, signal)
  const record = records.get(id)
  if (record === undefined) return
  await endProcesses(parts, record, signal)
  await records.save({ ...afterStop(record), ended: null })
}

/**
 * End a sliver's processes, and remove what was deployed, for a reset of its slice. Its number, addresses and limits stay. An agent that is killed meanwhile
 * does it again, because the reset is noted last. Idempotent.
 */
export async function undeploy(
  parts: SliverParts,
  id: string,
  { sliceInstanceSn, signal }: { readonly sliceInstanceSn: number; readonly signal: AbortSignal },
): Promise<void> {
  const { node, records, measureDir } = parts
  const record = records.get(id)
  if (record === undefined) return
  await endProcesses(parts, record, signal)
  const deployed = { templateSha256: null, sshHostKey: null, ended: null } as const
  const after = { ...afterStop(record), ...deployed, stage: 'allocated' as const }
  await records.save(after)
  await node.endMeasuring(id)
  await removeTrees([measureDir(id)])
  await removeRoot(records.folder(id))
  await records.save({ ...after, sliceInstanceSn })
}

/** Remove a sliver completely. Idempotent. */
export async function remove(parts: SliverParts, id: string, signal: AbortSignal): Promise<void> {
  const { node, records, measureDir } = parts
  const record = records.get(id)
  if (record === undefined) return
  await endProcesses(parts, record, signal)
  await noteStopped(parts, id).catch(() => {
    // The disk is full. The change is stored in memory, and the removal frees space.
  })
  await node.endMeasuring(id)
  await removeTrees([measureDir(id)])
  await records.remove(id)
  // It may be private, and the node belongs to somebody else.
  await pruneData(parts)
}

/**
 * Record that the processes of a sliver have ended, if they have, and clean up after it. `onNoted` is called in between. When a step was ending the sliver, it
 * has not ended by itself: the kernel only took longer than the step waited.
 */
export async function noticeEnd(
  parts: SliverParts,
  id: string,
  onNoted: () => void,
): Promise<void> {
  const record = parts.records.get(id)
  if (record?.stage !== 'started' || record.process === null) return
  if (isAlive(record.process)) return
  const wasAsked = parts.unclean.has(id)
  const after = wasAsked ? afterStop(record) : afterEnd(record, await reasonOfEnd(parts, record))
  parts.unclean.add(id)
  try {
    await parts.records.save(after)
  } finally {
    // Even when the disk is full, the change in memory is reported.
    onNoted()
  }
  await endProcesses(parts, record, noGrace)
}

/** Stop a running sliver for a reason of the node. Its data is kept. `onNoted` is called when it has ended. */
export async function stopFor(
  parts: SliverParts,
  record: SliverRecord,
  { reason, onNoted }: { readonly reason: string; readonly onNoted: () => void },
): Promise<void> {
  await endProcesses(parts, record, noGrace)
  await parts.records.save({ ...afterStop(record), ended: { member: '', message: reason } })
  onNoted()
}

/** Return the record of a sliver that has ended by itself. */
export function afterEnd(record: SliverRecord, reason: string): SliverRecord {
  const { message } = new LabError('LAB_SLIVER_ENDED', { sliver: record.id, reason })
  return { ...afterStop(record), ended: { member: '', message } }
}

/** Return the record of a sliver that has no running process. */
function afterStop(record: SliverRecord): SliverRecord {
  const stage = record.stage === 'started' ? 'deployed' : record.stage
  return { ...record, stage, process: null, startedOn: null }
}

/** Record that no process of a sliver runs, if its record has one. */
async function noteStopped({ records }: SliverParts, id: string): Promise<void> {
  const record = records.get(id)
  if (record !== undefined && (record.stage === 'started' || record.process !== null))
    await records.save(afterStop(record))
}
