import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from './loop/log.ts'
import {
  createCatchers,
  createCollectors,
  defaultCatcherBytes,
  defaultSpoolBytes,
  isAside,
  openSpool,
  type Catchers,
  type MeasuredSliver,
  type Spool,
} from './measurement/measurement.ts'
import type { NodeProblems } from './report/problems.ts'
import type { Slivers, SliverStatus } from './sliver/slivers.ts'

const mebibyte = 1024 * 1024
/** The disk that what is measured may take, in MiB: the spool, and what is caught of each sliver, with the chunk that may be on its way. */
export const samplesDisk = {
  spoolMiB: defaultSpoolBytes / mebibyte,
  perSliverMiB: defaultCatcherBytes / mebibyte + 1,
} as const

/** What the node measures, up to its spool. */
export interface Measuring {
  readonly spool: Spool
  readonly catchers: Catchers
}

/** Open the spool and what fills it from slivers. A part of the spool that cannot be read is told as a problem of the node. */
export async function openMeasuring(
  dataDir: string,
  { log, problems }: { readonly log: Log; readonly problems: NodeProblems },
): Promise<Measuring> {
  const spool = await openSpool(join(dataDir, 'spool'), {
    onProblem(error) {
      log.error({ err: error }, 'a part of the spool cannot be read')
      problems.set(`spool: ${error.message}`, { member: '', message: error.message })
    },
  })
  const catchers = createCatchers({
    spool,
    dir: catcherFolder(dataDir),
    onProblem: (error) => log.error({ err: error }, "slivers' samples cannot all be caught"),
  })
  return { spool, catchers }
}

/**
 * Catch again what running slivers write, and finish what is left of slivers that are gone. One sliver's trouble is not the others': it is logged, and
 * tried again when that sliver is started.
 */
export async function resumeCatching(
  catchers: Catchers,
  slivers: Slivers,
  { dataDir, log }: { readonly dataDir: string; readonly log: Log },
): Promise<void> {
  const present = await slivers.list()
  const unreadable = await slivers.unreadable()
  const resume = [
    ...present.filter(({ stage }) => stage === 'started'),
    ...unreadable.filter(({ pid }) => pid !== null),
  ].map(({ id }) => [id, () => catchers.ensure(id, measureFolder(dataDir, id))] as const)
  const known = new Set([...present, ...unreadable].map(({ id }) => id))
  const left = (await foldersIn(catcherFolder(dataDir)))
    .filter((id) => !known.has(id))
    .map((id) => [id, () => catchers.remove(id)] as const)
  for (const [sliver, run] of [...resume, ...left]) {
    try {
      await run()
    } catch (error) {
      log.error({ err: error, sliver }, "a sliver's samples cannot be caught")
    }
  }
}

/** Measure the node and its slivers, in rounds, until the signal ends it. */
export async function collect(options: {
  readonly spool: Spool
  readonly slivers: Slivers
  readonly dataDir: string
  readonly intervalMs: number
  readonly log: Log
  readonly signal: AbortSignal
}): Promise<void> {
  const { spool, slivers, intervalMs, log, signal } = options
  const collectors = createCollectors({
    spool,
    intervalMs,
    diskPath: options.dataDir,
    slivers: async () => (await slivers.list()).flatMap(measured),
    onProblem: (collector, error) => log.warn({ err: error, collector }, 'a measurement failed'),
    signal,
  })
  await collectors.ended
}

/** The folder that a sliver sees at `/run/community-lab`. */
function measureFolder(dataDir: string, sliverId: string): string {
  return join(dataDir, 'measure', sliverId)
}

function catcherFolder(dataDir: string): string {
  return join(dataDir, 'catchers')
}

function measured({ id, pid, cgroups }: SliverStatus): MeasuredSliver[] {
  return pid === null ? [] : [{ id, pid, cgroups }]
}

async function foldersIn(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !isAside(entry.name))
      .map(({ name }) => decodeURIComponent(name))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
