import { join } from 'node:path'
import { createSerial } from '../serial.ts'
import { containerName } from './container.ts'
import { createWatch } from './host/watch.ts'
import { allocate } from './lifecycle/allocate.ts'
import { authorize, deploy } from './lifecycle/deploy.ts'
import { noticeEnd, remove, stop } from './lifecycle/end.ts'
import type { NodeOptions, SliverParts } from './lifecycle/parts.ts'
import { findRunning, recover } from './lifecycle/recover.ts'
import { start } from './lifecycle/start.ts'
import { findPlatform, type Platform, type PlatformSearch } from './platform.ts'
import type { Slivers, SliverStatus } from './slivers.ts'
import type { SliverRecord } from './store/record.ts'
import { openRecords } from './store/records.ts'
import { openTemplates, type TemplatesOptions } from './template/templates.ts'

/** Options of {@link openSlivers}. */
export interface SliversOptions
  extends
    NodeOptions,
    Pick<TemplatesOptions, 'fetchImage'>,
    Omit<PlatformSearch, 'running' | 'mgmtPrefix'> {}

/**
 * Open the slivers of this node: find out what they can be run with, and find those that run. What ended while no agent looked is cleaned up.
 * The data folder must be held by this process alone. The steps of a sliver's life are in `lifecycle/`; here they are put in order, one at a time for each sliver.
 */
export async function openSlivers(options: SliversOptions): Promise<Slivers> {
  const { dataDir, fetchImage, onProblem } = options
  const serial = createSerial()
  const listeners = new Set<(id: string) => void>()
  const records = await openRecords(join(dataDir, 'slivers'))
  const templates = await openTemplates({ dir: join(dataDir, 'templates'), fetchImage })
  const running = await findRunning(records)
  const found = await findPlatform({ ...options, running })
  const parts: SliverParts = {
    node: options,
    records,
    templates,
    found,
    watch: createWatch(lookAfter),
    measureDir: (id) => join(dataDir, 'measure', id),
    unclean: new Set(),
  }
  await recover(parts, running)

  function lookAfter(id: string): void {
    const tell = (): void => {
      for (const listener of listeners) listener(id)
    }
    serial.run(id, () => noticeEnd(parts, id, tell)).catch((error: unknown) => onProblem(id, error))
  }

  return {
    capabilities: found.capabilities,
    list: () => Promise.resolve(records.all().map((one) => statusOf(one, found.platform))),
    allocate: (target) => serial.run(target.id, () => allocate(parts, target)),
    deploy: (target, signal) => serial.run(target.id, () => deploy(parts, target, signal)),
    start: (target, signal) => serial.run(target.id, () => start(parts, target, signal)),
    authorize: (id, keys) => serial.run(id, () => authorize(parts, id, keys)),
    stop: (id) => serial.run(id, () => stop(parts, id)),
    remove: (id) => serial.run(id, () => remove(parts, id)),
    onEnded(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => parts.watch.close(),
  }
}

function statusOf(record: SliverRecord, platform: Platform | null): SliverStatus {
  const { process, limits: _, ...told } = record
  const runs = record.stage === 'started'
  return {
    ...told,
    pid: runs ? (process?.pid ?? null) : null,
    cgroups: runs ? (platform?.cgroups?.folders(containerName(record)) ?? {}) : {},
  }
}
