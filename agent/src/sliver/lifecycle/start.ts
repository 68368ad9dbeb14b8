import { mkdir, rm } from 'node:fs/promises'
import type { SliverTarget } from '@community-lab/contract'
import { settleAll } from '../../settle-all.ts'
import { createContainer, startContainer } from '../container.ts'
import { isAlive } from '../host/process.ts'
import type { SliverRecord } from '../store/record.ts'
import { endProcesses, noGrace } from './end.ts'
import { endingFile, requirePlatform, requireRecord, type SliverParts } from './parts.ts'
import { readOffer, requireRoom } from './room.ts'

/**
 * Run a sliver and wait until its SSH server listens. Idempotent. After a failed start, nothing of it runs.
 * @throws {@link LabError} LAB_SLIVER_STAGE, LAB_SLIVER_NO_ROOM, LAB_SLIVER_ENDED, LAB_SLIVER_NO_SSH, LAB_SLIVER_COMMAND_FAILED, LAB_SLIVER_UNFILTERED.
 */
export async function start(
  parts: SliverParts,
  target: SliverTarget,
  signal: AbortSignal,
): Promise<void> {
  const { node, records, templates, measureDir } = parts
  const { id } = target
  const found = requireRecord(parts, id, 'deployed')
  const platform = requirePlatform(parts, id)
  if (found.stage === 'started' && found.process !== null && isAlive(found.process)) return
  if (parts.unclean.has(id) || found.process !== null) await endProcesses(parts, found, signal)
  // The node may lend less now than when the sliver was allocated.
  requireRoom(parts, id, { limits: found.limits, offer: await readOffer(parts) })
  // The record is saved before the first wait, so that the same resources are not promised to another sliver too.
  let record = await records.save({
    ...found,
    stage: 'deployed',
    process: null,
    startedOn: null,
  })
  await mkdir(measureDir(id), { recursive: true })
  await rm(endingFile(records.folder(id)), { force: true })
  const places = {
    folder: records.folder(id),
    template: templates.root(found.templateSha256 ?? ''),
    measureDir: measureDir(id),
    hostname: hostnameOf(target.slice_name, node.nodeName),
  }
  try {
    const [process] = await settleAll(
      createContainer(platform, record, { places, signal }),
      platform.filter.admit(record),
      node.prepareMeasuring(id, measureDir(id)),
    )
    const protection = { sha256: parts.protectionSha256, process }
    record = await records.save({ ...record, process, protection })
    await startContainer(platform, record, { process, signal })
    const startedOn = new Date().toISOString()
    record = await records.save({ ...record, stage: 'started', startedOn, ended: null })
  } catch (error) {
    await undo(parts, record)
    throw error
  }
}

/** End what a failed start has begun. A failure here is reported separately, so that it does not hide the first one. */
async function undo(parts: SliverParts, record: SliverRecord): Promise<void> {
  try {
    await endProcesses(parts, record, noGrace)
    const stage = 'deployed'
    await parts.records.save({ ...record, stage, process: null, startedOn: null })
  } catch (error) {
    parts.node.onProblem(record.id, error)
  }
}

/** Make a host name: letters, digits, dots and hyphens, at most 63. Source: RFC 1123, section 2.1; RFC 1035, section 2.3.4. */
function hostnameOf(slice: string, node: string): string {
  return `${slice}-${node}`.replaceAll(/[^A-Za-z0-9.-]/gu, '-').slice(0, 63)
}
