import { join } from 'node:path'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import type { SliverStatus } from '../plan/observed.ts'
import type { NodeProblems } from '../report/problems.ts'
import { createSerial } from '../serial.ts'
import { containerName } from './container.ts'
import { hasOtherProtection } from './domain/protection.ts'
import { openArchives, type ArchivesOptions } from './data/archives.ts'
import { watchNetwork } from './host/changes.ts'
import { openHost, type HostOptions } from './host/host.ts'
import { isAlive } from './host/process.ts'
import { createWatch } from './host/watch.ts'
import { allocate } from './lifecycle/allocate.ts'
import { authorize, deploy } from './lifecycle/deploy.ts'
import { noticeEnd, remove, stop, undeploy } from './lifecycle/end.ts'
import type { NodeOptions, SliverParts } from './lifecycle/parts.ts'
import { cleanUp, findRunning, recover } from './lifecycle/recover.ts'
import { createRunningSlivers } from './lifecycle/running.ts'
import { start } from './lifecycle/start.ts'
import { describeUnreadable, endStrays, findUnreadable } from './lifecycle/unreadable.ts'
import { findPlatform, type PlatformSearch } from './platform.ts'
import { withData } from './lifecycle/with-data.ts'
import { prepareProgram } from './program.ts'
import { createProbing } from './probing.ts'
import { protectionSha256 } from './protection.ts'
import type { Slivers } from './slivers.ts'
import { watchSockets } from './socket-watch.ts'
import { configurationOf, type SliverRecord } from './store/record.ts'
import { openRecords, type Records } from './store/records.ts'
import { openTemplates, type TemplatesOptions } from './template/templates.ts'
import { startUpkeep, type Finding } from './upkeep.ts'
import { upkeepParts } from './upkeep-parts.ts'

/** Options of {@link openSlivers}. */
export interface SliversOptions
  extends
    NodeOptions,
    Pick<TemplatesOptions, 'fetchImage'>,
    Pick<ArchivesOptions, 'fetchFrom'>,
    Omit<HostOptions, 'running' | 'hasSlivers'>,
    PlatformSearch {
  /** Called with each change of the host that was not the agent's and that the agent has undone. */
  readonly onFinding: (part: string, finding: Finding) => void
  /** Called when a probe finds other capabilities than the one before. */
  readonly onCapabilities: () => void
  /** Called when links, addresses or routes of this host may have changed, other than those of slivers. */
  readonly onNetworkChange: () => void
  /** Called when a part of the host cannot be checked. */
  readonly onUpkeepError: (part: string, error: unknown) => void
}

/** The longest time between two checks of what the agent has set on the host, in milliseconds. */
const upkeepEveryMs = 10_000
/** The time between two looks whether slivers still run, in milliseconds. The kernel notifies only the parent of a process. */
const endsEveryMs = 500

/**
 * Open the slivers of this node: probe what they can be run with, and find those that run. Clean up after those that ended while no agent was running. This
 * process alone must hold the data folder. The steps of a sliver's life are in `lifecycle/`; this runs them one at a time for each sliver. When the signal is
 * aborted, running steps do not wait any more for processes that they have killed.
 */
export async function openSlivers(options: SliversOptions): Promise<Slivers> {
  const { dataDir, fetchImage, fetchFrom, problems, signal } = options
  /** When the agent is ending, failures are a consequence of that, and are not reported. */
  const onProblem = (id: string, error: unknown): void => {
    if (!signal.aborted) options.onProblem(id, error)
  }
  const serial = createSerial()
  const listeners = new Set<(id: string) => void>()
  const records = await openRecords(join(dataDir, 'slivers'))
  const templates = await openTemplates({ dir: join(dataDir, 'templates'), fetchImage })
  const archives = openArchives({ dir: join(dataDir, 'data-archives'), fetchFrom })
  tellUnreadable(records, problems)
  const found = findRunning(records)
  const hasSlivers = records.all().length + records.unreadable.size > 0
  const host = await openHost({ ...options, running: found, hasSlivers })
  const probing = await createProbing({
    find: (before) => findPlatform(host, options, before),
    nowMs: () => performance.now(),
  })
  const parts: SliverParts = {
    node: { ...options, onProblem },
    records,
    templates,
    archives,
    host,
    get found() {
      return probing.found
    },
    measureDir: (id) => join(dataDir, 'measure', id),
    protectionSha256: await protectionSha256(process.arch),
    unreadable: await findUnreadable(records, host),
    unclean: new Set(),
  }
  await endStrays(parts)
  // A process that takes long to end delays only the steps of its own sliver.
  for (const { id } of await recover(parts, found))
    serial.run(id, () => cleanUp(parts, id)).catch((error: unknown) => onProblem(id, error))
  const tellEnded = (id: string): void => {
    for (const listener of listeners) listener(id)
  }
  const running = createRunningSlivers(parts, { serial, onEnded: tellEnded })
  const onUpkeepError = (part: string, error: unknown): void => {
    if (!signal.aborted) options.onUpkeepError(part, error)
  }
  running.shapeLinks(signal).catch((error: unknown) => onUpkeepError('links', error))
  const watch = createWatch({
    watched: () =>
      running
        .list()
        .flatMap(({ id, process }) => (process === null ? [] : [[id, process] as const])),
    isWell: isAlive,
    onUnwell: (id) => serial.run(id, () => noticeEnd(parts, id, () => tellEnded(id))),
    onError: onProblem,
    pauseMs: () => endsEveryMs,
  })
  const socketWatch = watchSockets({ running, onProblem, signal })
  const upkeep = startUpkeep({
    parts: upkeepParts({
      host,
      probing,
      slivers: running,
      readOffer: options.readOffer,
      onSliverError: onProblem,
      onCapabilities: options.onCapabilities,
      now: () => new Date(),
    }),
    watch: (onChange, signal) =>
      watchNetwork((change) => {
        if (change === 'links') options.onNetworkChange()
        else if (host.filter.isBeingSet) return
        onChange(change)
      }, signal),
    everyMs: upkeepEveryMs,
    nowMs: () => performance.now(),
    onFinding: options.onFinding,
    onError: onUpkeepError,
  })

  return {
    get capabilities() {
      return probing.found.capabilities
    },
    get problems() {
      return upkeep.problems
    },
    list: () => Promise.resolve(records.all().map((one) => statusOf(one, parts))),
    unreadable: () => Promise.resolve([...parts.unreadable.values()].map(describeUnreadable)),
    allocate: (target, sliverMacPrefix, signal) =>
      serial.run(target.id, () => allocate(parts, target, { sliverMacPrefix, signal })),
    deploy: (target, signal) => serial.run(target.id, () => deploy(parts, target, signal)),
    start: (target, signal) => serial.run(target.id, () => start(parts, target, signal)),
    authorize: (id, keys) => serial.run(id, () => authorize(parts, id, keys)),
    stop: (id, signal) => serial.run(id, () => stop(parts, id, signal)),
    undeploy: (id, sliceInstanceSn, signal) =>
      serial.run(id, () => undeploy(parts, id, { sliceInstanceSn, signal })),
    remove: (id, signal) => serial.run(id, () => remove(parts, id, signal)),
    prepareProgram: (id, program) => serial.run(id, () => prepareProgram(parts, id, program)),
    useFiles: (files, { signal: until, task }) =>
      withData(parts, files, {
        signal: until,
        task: (archive) => (archive === null ? Promise.resolve() : task(archive)),
      }),
    async lend(mbps) {
      await host.setRate(mbps)
      await running.shapeLinks(signal)
      await upkeep.check()
    },
    check: () => upkeep.check(),
    onEnded(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      await Promise.all([watch.close(), socketWatch.close(), upkeep.close()])
    },
  }
}

/** Report records that cannot be read as problems of the node. */
function tellUnreadable({ unreadable }: Records, problems: NodeProblems): void {
  for (const [id, { keptAt, reason }] of unreadable) {
    const details = { what: `sliver ${id}`, keptAt, reason }
    const { message } = new LabError('LAB_AGENT_DOCUMENT_UNREADABLE', details)
    problems.set(`record of ${id}`, { member: '/slivers', message })
  }
}

function statusOf(
  record: SliverRecord,
  { host, protectionSha256: own }: Pick<SliverParts, 'host' | 'protectionSha256'>,
): SliverStatus {
  const runs = record.stage === 'started'
  return {
    id: record.id,
    nr: record.nr,
    stage: record.stage,
    sliceInstanceSn: record.sliceInstanceSn,
    instanceSn: record.instanceSn,
    configuration: configurationOf(record),
    templateSha256: record.templateSha256,
    sshAuthorizedKeys: record.sshAuthorizedKeys,
    interfaces: record.interfaces,
    sshHostKey: record.sshHostKey,
    startedOn: record.startedOn,
    ended: record.ended,
    pid: runs ? (record.process?.pid ?? null) : null,
    cgroups: runs ? host.cgroups.folders(containerName(record)) : {},
    hasOtherProtection: hasOtherProtection(record, own),
  }
}
