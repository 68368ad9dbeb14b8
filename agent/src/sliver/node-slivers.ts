import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  defaultSliverMacPrefix,
  LabError,
  maxSliversPerNode,
  resourceUnits,
  type SliverTarget,
} from '@community-lab/contract'
import type { ReportedResource } from '../report/report.ts'
import {
  containerName,
  createContainer,
  endContainer,
  explainEnd,
  startContainer,
} from './container.ts'
import { mapIds } from './domain/ids.ts'
import { computeInterfaces } from './domain/interfaces.ts'
import { limitsOf } from './domain/limits.ts'
import { findShortage, freeNumber } from './domain/room.ts'
import { findEquipment, type Equipment, type EquipmentSearch } from './equipment.ts'
import { makeHostKey } from './host/host-key.ts'
import { isAlive } from './host/process.ts'
import { createWatch } from './host/watch.ts'
import type { Slivers, SliverStatus } from './slivers.ts'
import type { SliverRecord } from './store/record.ts'
import { openRecords, removeTrees, type Records } from './store/records.ts'
import { makeRoot, writeAuthorizedKeys, writeHostKey } from './store/root.ts'
import { together } from './together.ts'
import { openTemplates, type TemplatesOptions } from './template/templates.ts'

/** Options of {@link openSlivers}. */
export interface SliversOptions
  extends Pick<TemplatesOptions, 'fetchImage'>, Omit<EquipmentSearch, 'running'> {
  readonly nodeId: number
  readonly nodeName: string
  /** The node's /64 in the community network; null: slivers get no public address. */
  readonly publicPrefix: string | null
  /** What the node's owner offers to slivers, now. */
  readonly readOffer: () => Promise<readonly ReportedResource[]>
  /** Called before a sliver is started, with the folder that it sees at `/run/community-lab`. */
  readonly prepareMeasuring: (id: string, measureDir: string) => Promise<void>
  /** Called when a sliver has ended for good, before it is forgotten: should it fail, its removal fails, and is tried again. */
  readonly endMeasuring: (id: string) => Promise<void>
  /** Told when a sliver that ended by itself cannot be cleaned up after; that is tried again before it is started. */
  readonly onProblem: (id: string, error: unknown) => void
}

/**
 * Open the slivers of this node: find out what they can be run with, and find those that run. What ended while no agent looked is cleaned up.
 * The data folder must be held by this process alone.
 */
export async function openSlivers(options: SliversOptions): Promise<Slivers> {
  const records = await openRecords(join(options.dataDir, 'slivers'))
  const measureDir = (id: string): string => join(options.dataDir, 'measure', id)
  const templates = await openTemplates({
    dir: join(options.dataDir, 'templates'),
    fetchImage: options.fetchImage,
  })
  const running = await findRunning(records)
  const { equipment, capabilities } = await findEquipment({ ...options, running })
  const inTurn = createTurns()
  /** Slivers of which something may be left that could not be ended. */
  const unclean = new Set<string>()
  const listeners = new Set<(id: string) => void>()
  const watch = createWatch((id) => void noticeEnd(id))
  await recover()

  /** End what an agent before has left half-way, or what has ended while there was none. */
  async function recover(): Promise<void> {
    for (const record of records.all()) {
      if (running.includes(record)) {
        if (record.process !== null) watch.add(record.id, record.process)
      } else if (equipment !== null) {
        const reason = await reasonOfEnd(record)
        await end(equipment, record)
        if (record.stage === 'started') await records.save(afterEnd(record, reason))
        else if (record.process !== null) await records.save({ ...record, process: null })
      }
    }
  }

  function noticeEnd(id: string): Promise<void> {
    return inTurn(id, async () => {
      const record = records.get(id)
      if (record?.stage !== 'started' || record.process === null) return
      if (await isAlive(record.process)) return
      const reason = await reasonOfEnd(record)
      await records.save(afterEnd(record, reason))
      for (const listener of listeners) listener(id)
      await end(equip(id), record)
    }).catch((error: unknown) => options.onProblem(id, error))
  }

  async function reasonOfEnd(record: SliverRecord): Promise<string> {
    return explainEnd({ cgroups: equipment?.cgroups ?? null }, record)
  }

  async function end(own: Equipment, record: SliverRecord): Promise<void> {
    unclean.add(record.id)
    await endContainer(own, record)
    unclean.delete(record.id)
  }

  function equip(sliver: string): Equipment {
    if (equipment !== null) return equipment
    const reason = capabilities.lacks[0] ?? 'it has no OCI runtime'
    throw new LabError('LAB_SLIVER_NO_RUNTIME', { sliver, reason })
  }

  function find(id: string, needs: 'allocated' | 'deployed'): SliverRecord {
    const record = records.get(id)
    if (record !== undefined && (needs === 'allocated' || record.stage !== 'allocated'))
      return record
    const stage = record?.stage ?? 'registered'
    throw new LabError('LAB_SLIVER_STAGE', { sliver: id, stage, needs })
  }

  async function allocate(target: SliverTarget): Promise<void> {
    const { id } = target
    equip(id)
    const limits = limitsOf(target.resources)
    const offered = await options.readOffer()
    // From here to the record nothing is waited for, so that no two slivers get the same room or number.
    if (records.get(id) !== undefined) return
    const others = records.all()
    const shortage = findShortage(
      limits,
      offered,
      others.map((other) => other.limits),
    )
    if (shortage !== null) {
      const unit = resourceUnits[shortage.resource]
      throw new LabError('LAB_SLIVER_NO_ROOM', { sliver: id, unit, ...shortage })
    }
    const nr = freeNumber(new Set(others.map((other) => other.nr)), maxSliversPerNode)
    if (nr === null) {
      const slivers = { resource: 'slivers', asked: 1, unit: 'sliver', free: 0 }
      throw new LabError('LAB_SLIVER_NO_ROOM', { sliver: id, ...slivers })
    }
    const addresses = { ...options, macPrefix: defaultSliverMacPrefix }
    await records.save({
      id,
      nr,
      stage: 'allocated',
      sliceInstanceSn: target.slice_instance_sn,
      instanceSn: target.instance_sn,
      limits,
      templateSha256: null,
      sshAuthorizedKeys: target.ssh_authorized_keys,
      interfaces: computeInterfaces(addresses, {
        nr,
        sliceId: target.slice_id,
        interfaces: target.interfaces,
      }),
      sshHostKey: null,
      startedOn: null,
      process: null,
      ended: null,
    })
  }

  async function deploy(target: SliverTarget, signal: AbortSignal): Promise<void> {
    const { id } = target
    const record = find(id, 'allocated')
    const ids = mapIds(equip(id).ids, record.nr)
    if (record.stage !== 'allocated') return
    using template = await templates.hold(target.template, signal)
    const folder = records.folder(id)
    const { sharesTemplates, limitsDisk } = equip(id)
    const disk = limitsDisk ? { sliver: id, sizeMiB: record.limits.disk } : null
    const root = { ids, from: sharesTemplates ? 'share' : 'copy', disk, signal } as const
    const [key] = await Promise.all([makeHostKey(), makeRoot(folder, template.root, root)])
    await writeHostKey(folder, key, ids)
    await writeAuthorizedKeys(folder, target.ssh_authorized_keys, ids)
    await records.save({
      ...record,
      stage: 'deployed',
      templateSha256: target.template?.image_sha256 ?? null,
      sshAuthorizedKeys: target.ssh_authorized_keys,
      sshHostKey: key.publicKey,
    })
    await templates.prune((sha256) => records.all().some((one) => one.templateSha256 === sha256))
  }

  async function start(target: SliverTarget, signal: AbortSignal): Promise<void> {
    const { id } = target
    const found = find(id, 'deployed')
    const own = equip(id)
    if (found.stage === 'started' && found.process !== null && (await isAlive(found.process)))
      return
    if (unclean.has(id)) await end(own, found)
    await mkdir(measureDir(id), { recursive: true })
    const places = {
      folder: records.folder(id),
      template: templates.root(found.templateSha256 ?? ''),
      measureDir: measureDir(id),
      hostname: `${target.slice_name}-${options.nodeName}`.replaceAll('_', '-').slice(0, 63),
    }
    const limits = limitsOf(target.resources)
    let record: SliverRecord = {
      ...found,
      stage: 'deployed',
      limits,
      process: null,
      startedOn: null,
    }
    try {
      const [process] = await together(
        createContainer(own, record, { places, signal }),
        own.links.admit(record, signal),
        options.prepareMeasuring(id, measureDir(id)),
      )
      record = await records.save({ ...record, process })
      await startContainer(own, record, { process, signal })
      const startedOn = new Date().toISOString()
      record = await records.save({ ...record, stage: 'started', startedOn, ended: null })
      watch.add(id, process)
    } catch (error) {
      await end(own, record)
      await records.save({ ...record, stage: 'deployed', process: null, startedOn: null })
      throw error
    }
  }

  async function authorize(id: string, keys: readonly string[]): Promise<void> {
    const record = find(id, 'allocated')
    if (record.stage !== 'allocated')
      await writeAuthorizedKeys(records.folder(id), keys, mapIds(equip(id).ids, record.nr))
    await records.save({ ...record, sshAuthorizedKeys: [...keys] })
  }

  async function stop(id: string): Promise<void> {
    const record = records.get(id)
    if (record === undefined) return
    watch.remove(id)
    await end(equip(id), record)
    const stage = record.stage === 'started' ? 'deployed' : record.stage
    await records.save({ ...record, stage, process: null, startedOn: null, ended: null })
  }

  async function remove(id: string): Promise<void> {
    const record = records.get(id)
    if (record === undefined) return
    watch.remove(id)
    if (equipment !== null) await end(equipment, record)
    await options.endMeasuring(id)
    await removeTrees([measureDir(id)])
    await records.remove(id)
  }

  function statusOf(record: SliverRecord): SliverStatus {
    const { process, limits: _, ...told } = record
    const runs = record.stage === 'started'
    return {
      ...told,
      pid: runs ? (process?.pid ?? null) : null,
      cgroups: runs ? (equipment?.cgroups?.folders(containerName(record)) ?? {}) : {},
    }
  }

  return {
    capabilities,
    list: () => Promise.resolve(records.all().map(statusOf)),
    allocate: (target) => inTurn(target.id, () => allocate(target)),
    deploy: (target, signal) => inTurn(target.id, () => deploy(target, signal)),
    start: (target, signal) => inTurn(target.id, () => start(target, signal)),
    authorize: (id, keys) => inTurn(id, () => authorize(id, keys)),
    stop: (id) => inTurn(id, () => stop(id)),
    remove: (id) => inTurn(id, () => remove(id)),
    onEnded(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => watch.close(),
  }
}

async function findRunning(records: Records): Promise<readonly SliverRecord[]> {
  const running: SliverRecord[] = []
  for (const record of records.all())
    if (record.stage === 'started' && record.process !== null && (await isAlive(record.process)))
      running.push(record)
  return running
}

function afterEnd(record: SliverRecord, reason: string): SliverRecord {
  const { message } = new LabError('LAB_SLIVER_ENDED', { sliver: record.id, reason })
  const ended = { member: '', message }
  return { ...record, stage: 'deployed', process: null, startedOn: null, ended }
}

/** Do what concerns one sliver in the order it was asked for. */
function createTurns(): (id: string, task: () => Promise<void>) => Promise<void> {
  const tails = new Map<string, Promise<void>>()
  return (id, task) => {
    const turn = (tails.get(id) ?? Promise.resolve()).then(task, task)
    tails.set(id, turn)
    const forget = (): void => {
      if (tails.get(id) === turn) tails.delete(id)
    }
    turn.then(forget, forget)
    return turn
  }
}
