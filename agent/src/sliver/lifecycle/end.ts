import { LabError } from '@community-lab/contract'
import { endContainer } from '../container.ts'
import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import { removeTrees } from '../store/records.ts'
import { reasonOfEnd, type SliverParts } from './parts.ts'
import { stopUnreadable } from './unreadable.ts'

/** An aborted signal: the processes are killed at once, without SIGTERM and without a grace period. */
export const noGrace = AbortSignal.abort()

/** End a sliver's processes, links and cgroups, whatever of them there is. Until that has worked it counts as unclean. */
export async function endProcesses(
  parts: SliverParts,
  record: SliverRecord,
  signal: AbortSignal,
): Promise<void> {
  parts.unclean.add(record.id)
  await endContainer(parts.host, record, signal)
  parts.unclean.delete(record.id)
}

/** Stop a sliver; what it wrote is kept. Idempotent. */
export async function stop(parts: SliverParts, id: string, signal: AbortSignal): Promise<void> {
  const { records, watch } = parts
  const unreadable = parts.unreadable.get(id)
  if (unreadable !== undefined) return stopUnreadable(parts, unreadable, signal)
  const record = records.get(id)
  if (record === undefined) return
  watch.remove(id)
  await endProcesses(parts, record, signal)
  const stage = record.stage === 'started' ? 'deployed' : record.stage
  await records.save({ ...record, stage, process: null, startedOn: null, ended: null })
}

/** Remove everything of a sliver. Idempotent. */
export async function remove(parts: SliverParts, id: string, signal: AbortSignal): Promise<void> {
  const { node, records, watch, measureDir } = parts
  const record = records.get(id)
  if (record === undefined) return
  watch.remove(id)
  await endProcesses(parts, record, signal)
  await node.endMeasuring(id)
  await removeTrees([measureDir(id)])
  await records.remove(id)
}

/** Note that a sliver has ended by itself, if it has, and clean up after it. `onNoted` is called between the two. */
export async function noticeEnd(
  parts: SliverParts,
  id: string,
  onNoted: () => void,
): Promise<void> {
  const record = parts.records.get(id)
  if (record?.stage !== 'started' || record.process === null) return
  if (await isAlive(record.process)) return
  try {
    await parts.records.save(afterEnd(record, await reasonOfEnd(parts, record)))
  } finally {
    // The disk may be full: what was noted in memory is told all the same.
    onNoted()
  }
  await endProcesses(parts, record, noGrace)
}

/** Stop a sliver that runs, for a reason of the node's; what it wrote is kept, and `onNoted` is called when it has ended. */
export async function stopFor(
  parts: SliverParts,
  record: SliverRecord,
  { reason, onNoted }: { readonly reason: string; readonly onNoted: () => void },
): Promise<void> {
  const { records, watch } = parts
  watch.remove(record.id)
  await endProcesses(parts, record, noGrace)
  const ended = { member: '', message: reason }
  await records.save({ ...record, stage: 'deployed', process: null, startedOn: null, ended })
  onNoted()
}

/** The record of a sliver that has ended by itself. */
export function afterEnd(record: SliverRecord, reason: string): SliverRecord {
  const { message } = new LabError('LAB_SLIVER_ENDED', { sliver: record.id, reason })
  const ended = { member: '', message }
  return { ...record, stage: 'deployed', process: null, startedOn: null, ended }
}
