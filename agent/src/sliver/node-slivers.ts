import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { createSerial } from '../serial.ts'
import { containerName } from './container.ts'
import { watchNetwork } from './host/changes.ts'
import { openHost, type Host, type HostOptions } from './host/host.ts'
import { createWatch } from './host/watch.ts'
import { allocate } from './lifecycle/allocate.ts'
import { authorize, deploy } from './lifecycle/deploy.ts'
import { noticeEnd, remove, stop, stopFor } from './lifecycle/end.ts'
import type { NodeOptions, SliverParts } from './lifecycle/parts.ts'
import { cleanUp, findRunning, recover } from './lifecycle/recover.ts'
import { start } from './lifecycle/start.ts'
import { describeUnreadable, endStrays, findUnreadable } from './lifecycle/unreadable.ts'
import { findPlatform, type PlatformSearch } from './platform.ts'
import { createProbing } from './probing.ts'
import type { Slivers, SliverStatus } from './slivers.ts'
import type { SliverRecord } from './store/record.ts'
import { openRecords } from './store/records.ts'
import { openTemplates, type TemplatesOptions } from './template/templates.ts'
import { startUpkeep, type Finding } from './upkeep.ts'
import { upkeepParts } from './upkeep-parts.ts'

/** Options of {@link openSlivers}. */
export interface SliversOptions
  extends
    NodeOptions,
    Pick<TemplatesOptions, 'fetchImage'>,
    Omit<HostOptions, 'running' | 'hasSlivers'>,
    PlatformSearch {
  /** Told of what was found changed on the host, and mended. */
  readonly onFinding: (part: string, finding: Finding) => void
  /** Told when slivers can be made with something else than before. */
  readonly onCapabilities: () => void
  /** Told when links, addresses or routes of this host may have changed, other than those of slivers. */
  readonly onNetworkChange: () => void
  /** Told when something on the host cannot be looked after. */
  readonly onUpkeepError: (part: string, error: unknown) => void
}

/** How often the agent looks after what it has set on the host, whatever it was told meanwhile. */
const upkeepEveryMs = 10_000

/**
 * Open the slivers of this node: find out what they can be run with, and find those that run. What ended while no agent looked is cleaned up.
 * The data folder must be held by this process alone. The steps of a sliver's life are in `lifecycle/`; here they are put in order, one at a time for each sliver.
 */
export async function openSlivers(options: SliversOptions): Promise<Slivers> {
  const { dataDir, fetchImage, problems, onProblem } = options
  const serial = createSerial()
  const listeners = new Set<(id: string) => void>()
  const records = await openRecords(join(dataDir, 'slivers'))
  const templates = await openTemplates({ dir: join(dataDir, 'templates'), fetchImage })
  for (const [id, { keptAt, reason }] of records.unreadable) {
    const details = { what: `sliver ${id}`, keptAt, reason }
    const { message } = new LabError('LAB_AGENT_DOCUMENT_UNREADABLE', details)
    problems.set(`record of ${id}`, { member: '/slivers', message })
  }
  const running = await findRunning(records)
  const hasSlivers = records.all().length + records.unreadable.size > 0
  const host = await openHost({ ...options, running, hasSlivers })
  const probing = await createProbing({
    find: (before) => findPlatform(host, options, before),
    nowMs: () => performance.now(),
  })
  const parts: SliverParts = {
    node: options,
    records,
    templates,
    host,
    get found() {
      return probing.found
    },
    measureDir: (id) => join(dataDir, 'measure', id),
    unreadable: await findUnreadable(records, host),
    unclean: new Set(),
  }
  await endStrays(parts)
  // What takes long, a process that does not end, delays the steps of its own sliver alone.
  for (const { id } of await recover(parts, running))
    serial.run(id, () => cleanUp(parts, id)).catch((error: unknown) => onProblem(id, error))
  const watch = createWatch({
    watched: () =>
      runningNow().flatMap(({ id, process }) => (process === null ? [] : [[id, process] as const])),
    onEnded: (id) => serial.run(id, () => noticeEnd(parts, id, () => tellEnded(id))),
    onError: onProblem,
  })

  const upkeep = startUpkeep({
    parts: upkeepParts({
      host,
      probing,
      running: runningNow,
      inTurn,
      cleanUpAll,
      stopAll,
      onSliverError: onProblem,
      onCapabilities: options.onCapabilities,
      now: () => new Date(),
    }),
    watch: (onChange, signal) =>
      watchNetwork((change) => {
        if (change === 'links') options.onNetworkChange()
        onChange(change)
      }, signal),
    everyMs: upkeepEveryMs,
    nowMs: () => performance.now(),
    onFinding: options.onFinding,
    onError: options.onUpkeepError,
  })

  function tellEnded(id: string): void {
    for (const listener of listeners) listener(id)
  }

  function runningNow(): readonly SliverRecord[] {
    return records.all().filter(({ stage }) => stage === 'started')
  }

  function inTurn(id: string, task: (record: SliverRecord) => Promise<void>): Promise<void> {
    return serial.run(id, async () => {
      const record = records.get(id)
      if (record?.stage === 'started') await task(record)
    })
  }

  async function cleanUpAll(): Promise<void> {
    const left = new Set([...parts.unclean, ...records.unsaved])
    await Promise.all(
      [...left].map((id) =>
        serial.run(id, async () => {
          await cleanUp(parts, id)
          await records.saveAgain(id)
        }),
      ),
    )
  }

  async function stopAll(reason: string): Promise<void> {
    const stopping = runningNow().map(({ id }) =>
      inTurn(id, (record) =>
        stopFor(parts, record, { reason, onNoted: () => tellEnded(id) }),
      ).catch((error: unknown) => onProblem(id, error)),
    )
    await Promise.all(stopping)
  }

  return {
    get capabilities() {
      return probing.found.capabilities
    },
    get problems() {
      return upkeep.problems
    },
    list: () => Promise.resolve(records.all().map((one) => statusOf(one, host))),
    unreadable: () => Promise.all([...parts.unreadable.values()].map(describeUnreadable)),
    allocate: (target, sliverMacPrefix) =>
      serial.run(target.id, () => allocate(parts, target, sliverMacPrefix)),
    deploy: (target, signal) => serial.run(target.id, () => deploy(parts, target, signal)),
    start: (target, signal) => serial.run(target.id, () => start(parts, target, signal)),
    authorize: (id, keys) => serial.run(id, () => authorize(parts, id, keys)),
    stop: (id, signal) => serial.run(id, () => stop(parts, id, signal)),
    remove: (id, signal) => serial.run(id, () => remove(parts, id, signal)),
    check: () => upkeep.check(),
    onEnded(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      await Promise.all([watch.close(), upkeep.close()])
    },
  }
}

function statusOf(record: SliverRecord, { cgroups }: Pick<Host, 'cgroups'>): SliverStatus {
  const { process } = record
  const runs = record.stage === 'started'
  return {
    id: record.id,
    nr: record.nr,
    stage: record.stage,
    sliceInstanceSn: record.sliceInstanceSn,
    instanceSn: record.instanceSn,
    templateSha256: record.templateSha256,
    sshAuthorizedKeys: record.sshAuthorizedKeys,
    interfaces: record.interfaces,
    sshHostKey: record.sshHostKey,
    startedOn: record.startedOn,
    ended: record.ended,
    pid: runs ? (process?.pid ?? null) : null,
    cgroups: runs ? cgroups.folders(containerName(record)) : {},
  }
}
