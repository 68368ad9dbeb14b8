import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { maxKeptBytes, maxOpenRuns, maxOutputBytes, messageOf } from '@community-lab/contract'
import { isAbsent } from '../errno.ts'
import type { Log } from '../loop/log.ts'
import { repeatUntilAborted } from '../loop/repeat.ts'
import {
  createCollectors,
  createSliverStreams,
  defaultCatcherBytes,
  defaultSpoolBytes,
  isAside,
  openSpool,
  type LineChecks,
  type MeasuredSliver,
  type SliverStreams,
  type Spool,
} from './measurement.ts'
import type { SliverStatus } from '../plan/observed.ts'
import type { NodeProblems } from '../report/problems.ts'
import type { Slivers } from '../sliver/slivers.ts'

const mebibyte = 1024 * 1024
/**
 * The disk space that samples may take, in MiB: the spool; and for each sliver what the catcher stores, with the chunk that it may be moving, and the output of its
 * runs: of those that run, and of those that have ended and whose output is not in the spool yet; and the files that one of these keeps.
 */
export const samplesDisk = {
  spoolMiB: defaultSpoolBytes / mebibyte,
  perSliverMiB:
    (defaultCatcherBytes + 2 * maxOpenRuns * maxOutputBytes + maxKeptBytes) / mebibyte + 1,
} as const

/** The spool of samples, and the streams of lines from slivers that are read into it. */
export interface Measuring {
  readonly spool: Spool
  /** Let the catcher store what a sliver writes. Called before the sliver is started. See {@link SliverStreams.ensure}. */
  prepare(sliverId: string, measureDir: string): Promise<void>
  /** Append a sample after all that its sliver has written. See {@link SliverStreams.appendAfter}. */
  readonly appendAfter: SliverStreams['appendAfter']
  /** Read the rest of what a sliver has written, after it has ended for good. See {@link SliverStreams.remove}. */
  end(sliverId: string): Promise<void>
  /**
   * Keep the streams of all slivers open, at once and then at intervals, until the signal ends it. Failures are reported as problems of the node. The signal also has the
   * effect of `stop`, so that a catcher that does not answer does not delay the end of the agent.
   */
  keep(slivers: Pick<Slivers, 'list' | 'unreadable'>, signal: AbortSignal): Promise<void>
  /** Close the slivers' streams; calls under way fail. See {@link SliverStreams.stop}. */
  stop(): Promise<void>
}

/** The time between two checks of slivers' streams, in milliseconds. */
const keepEveryMs = 10_000

/** Open the spool and the streams of slivers. A part of the spool that cannot be read is reported as a problem of the node. */
export async function openMeasuring(
  dataDir: string,
  {
    log,
    problems,
    checks,
  }: {
    readonly log: Log
    readonly problems: NodeProblems
    /** What runs have declared of their lines; default: nothing. */
    readonly checks?: LineChecks
  },
): Promise<Measuring> {
  const spool = await openSpool(join(dataDir, 'spool'), {
    onProblem(error) {
      log.error({ err: error }, 'a part of the spool cannot be read')
      problems.set(`spool: ${error.message}`, { member: '', message: error.message })
    },
  })
  const streams = createSliverStreams({
    spool,
    dir: catcherFolder(dataDir),
    ...(checks === undefined ? {} : { checks }),
    onProblem: (error) => log.error({ err: error }, "slivers' samples cannot all be caught"),
  })
  /** Slivers that are being removed. Their records still exist, but their streams must not start again. */
  const ending = new Set<string>()
  let stopping: Promise<void> | null = null

  function stop(): Promise<void> {
    return (stopping ??= streams.stop())
  }

  async function look(slivers: Pick<Slivers, 'list' | 'unreadable'>): Promise<void> {
    // The folders are listed before the slivers. So a folder without a sliver is a leftover.
    const folders = await streamsIn(catcherFolder(dataDir))
    const unreadable = await slivers.unreadable()
    const present = await slivers.list()
    const known = new Set([...present, ...unreadable].map(({ id }) => id))
    for (const id of ending) if (!known.has(id)) ending.delete(id)
    const running = [
      ...present.filter(({ stage }) => stage === 'started'),
      ...unreadable.filter(({ pid }) => pid !== null),
    ].map(({ id }) => id)
    // These include slivers that have ended: their last lines may not have been read yet.
    const kept = new Set([...running, ...folders.filter((id) => known.has(id))])
    const left = folders.filter((id) => !known.has(id))
    await Promise.all([
      ...[...kept]
        .filter((id) => !ending.has(id))
        .map((id) => tell(id, () => streams.ensure(id, measureFolder(dataDir, id)))),
      ...left.map((id) => tell(id, () => streams.remove(id))),
    ])
  }

  /** Run a task for a sliver's stream, and report whether it failed. A failure of one sliver does not stop the others. */
  async function tell(id: string, task: () => Promise<void>): Promise<void> {
    const problem = `samples of ${id}`
    try {
      await task()
      problems.clear(problem)
    } catch (error) {
      if (stopping !== null) return
      const message = messageOf(error)
      problems.set(problem, { member: '/slivers', message })
      log.warn({ err: error, sliver: id }, "a sliver's samples cannot be caught")
    }
  }

  return {
    spool,
    prepare(id, measureDir) {
      ending.delete(id)
      return streams.ensure(id, measureDir)
    },
    appendAfter: (sample, marks) => streams.appendAfter(sample, marks),
    async end(id) {
      ending.add(id)
      await streams.remove(id)
      problems.clear(`samples of ${id}`)
    },
    async keep(slivers, signal) {
      const letGo = (): void => {
        stop().catch(() => {
          // The later call of `stop` returns the same promise and gets the error.
        })
      }
      signal.addEventListener('abort', letGo, { once: true })
      await repeatUntilAborted(signal, async () => {
        try {
          await look(slivers)
        } catch (error) {
          // A possible cause is too many open files. The next look tries again.
          if (!signal.aborted) log.warn({ err: error }, "slivers' samples cannot be looked after")
        }
        await delay(keepEveryMs, undefined, { signal })
      })
    },
    stop,
  }
}

/** Measure the node and its slivers at intervals until the signal is aborted. */
export async function collect(options: {
  readonly spool: Spool
  readonly slivers: Slivers
  readonly dataDir: string
  readonly intervalMs: number
  /** babeld's socket for readers; null: there is none. */
  readonly babelSocket: string | null
  readonly log: Log
  readonly signal: AbortSignal
}): Promise<void> {
  const { spool, slivers, intervalMs, babelSocket, log, signal } = options
  const collectors = createCollectors({
    spool,
    intervalMs,
    diskPath: options.dataDir,
    babelSocket,
    slivers: async () => (await slivers.list()).flatMap(measured),
    onProblem: (collector, error) => log.warn({ err: error, collector }, 'a measurement failed'),
    signal,
  })
  await collectors.ended
}

/** Return the folder that a sliver sees as `/run/community-lab`. */
export function measureFolder(dataDir: string, sliverId: string): string {
  return join(dataDir, 'measure', sliverId)
}

/** Return the folder of the catcher. */
export function catcherFolder(dataDir: string): string {
  return join(dataDir, 'catchers')
}

function measured({ id, pid, cgroups }: SliverStatus): MeasuredSliver[] {
  return pid === null ? [] : [{ id, pid, cgroups }]
}

/** The ids of the slivers that have a folder of the catcher. */
async function streamsIn(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !isAside(entry.name))
      .map(({ name }) => decodeURIComponent(name))
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}
