import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  LabError,
  maxOutputBytes,
  messageOf,
  type RunReport,
  type RunTarget,
} from '@community-lab/contract'
import { clockVariables } from '../clock/domain/server-time.ts'
import type { ServerClock } from '../clock/node-clock.ts'
import { readDocument } from '../disk/document.ts'
import { createAutoResetEvent } from '../loop/auto-reset-event.ts'
import type { Clock } from '../loop/clock.ts'
import type { Log } from '../loop/log.ts'
import { repeatUntilAborted } from '../loop/repeat.ts'
import { fifoPath } from '../measurement/catcher/fifo.ts'
import { watchFolder, type FolderWatch } from '../measurement/catcher/watch-folder.ts'
import type { LineChecks, SliverStreams, Spool } from '../measurement/measurement.ts'
import { planRuns, type RunStep } from '../plan/runs.ts'
import type { NodeWanted } from '../plan/wanted.ts'
import type { NodeProblems } from '../report/problems.ts'
import type { Slivers } from '../sliver/slivers.ts'
import { createEndRows, type EndRows } from './end-rows.ts'
import { createFetching, type Fetching } from './fetching.ts'
import { sendOutput } from './output-sender.ts'
import { runRecordFormat } from './record.ts'
import { RunFolder } from './run-folder.ts'
import { startSupervisor } from './supervisor.ts'

/** Options of {@link openRuns}. */
export interface RunsOptions {
  /** The folder of the runs, for them alone. */
  readonly dir: string
  readonly slivers: Pick<Slivers, 'list' | 'prepareProgram' | 'useFiles'>
  readonly spool: Spool
  /** See {@link SliverStreams.appendAfter}. */
  readonly appendAfter: SliverStreams['appendAfter']
  /** Return the folder that a sliver sees as `/run/community-lab`. */
  readonly measureDir: (sliverId: string) => string
  /** Gets what the runs declare of their lines. */
  readonly checks: LineChecks
  readonly problems: NodeProblems
  readonly clock: Clock
  /** The time by the node's clock, in milliseconds since the epoch. */
  readonly dateMs: () => number
  /** What is known of the server's time. */
  readonly serverClock: Pick<ServerClock, 'programClock'>
  readonly log: Log
  /** Called when what is to be reported has changed. */
  readonly onChange: () => void
}

/** The runs of this node. They outlive the agent: each has a supervisor of its own. */
export interface NodeRuns {
  /** Use this target from now on. */
  setTarget(target: NodeWanted): void
  /** Something that the plan depends on has changed. */
  look(): void
  /** The runs to report: those in the target, and others that have not ended. */
  reports(): readonly RunReport[]
  /** Work until the signal is aborted. The runs go on. */
  run(signal: AbortSignal): Promise<void>
}

/** The longest time between two looks at runs that have not ended, in milliseconds. */
const lookEveryMs = 1_000
/** The time between two looks when something changes all the time, in milliseconds. */
const pauseMs = 50
/** The most runs in a report. Source: the contract's NodeReport. */
const maxReported = 1000

/** Open the runs of a node. A record that cannot be read is set aside, and reported as a problem of the node. */
export async function openRuns(options: RunsOptions): Promise<NodeRuns> {
  const { dir, checks, problems } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const folders = new Map<string, RunFolder>()
  for (const name of await readdir(dir)) {
    const found = await readDocument(join(dir, name, 'run.json'), runRecordFormat)
    if (found.kind === 'read')
      folders.set(found.value.id, new RunFolder(join(dir, name), found.value))
    if (found.kind !== 'unreadable') continue
    const { keptAt, reason } = found
    const details = { what: `the record of run ${name}`, keptAt, reason }
    const { message } = new LabError('LAB_AGENT_DOCUMENT_UNREADABLE', details)
    problems.set(`record of run ${name}`, { member: '/runs', message })
  }
  for (const folder of folders.values()) {
    await folder.refresh()
    checks.declare({ points: [], ...folder.record })
  }
  return new FileNodeRuns(options, folders)
}

class FileNodeRuns implements NodeRuns {
  readonly #options: RunsOptions
  readonly #folders: Map<string, RunFolder>
  readonly #fetching: Fetching
  readonly #ends: EndRows
  readonly #watches = new Map<string, FolderWatch>()
  readonly #due
  #target: NodeWanted | null = null
  #reported = ''

  constructor(options: RunsOptions, folders: Map<string, RunFolder>) {
    this.#options = options
    this.#folders = folders
    this.#due = createAutoResetEvent(options.clock)
    this.#fetching = createFetching(options.clock, () => this.look())
    this.#ends = createEndRows({
      ...options,
      onAppended: () => this.look(),
      onProblem: (run, error) => options.log.warn({ err: error, run }, 'the row of its end waits'),
    })
  }

  setTarget(target: NodeWanted): void {
    this.#target = target
    this.look()
  }

  look(): void {
    this.#due.set()
  }

  reports(): readonly RunReport[] {
    const wanted = new Set(this.#target?.runs?.map(({ id }) => id))
    const reports = [...this.#folders.values()]
      .filter((folder) => wanted.has(folder.record.id) || isOpen(folder))
      .map((folder) => folder.report())
    // Those that have ended leave the target once the server knows it, and make room for the others.
    return [
      ...reports.filter(({ state }) => state === 'ended'),
      ...reports.filter(({ state }) => state !== 'ended'),
    ].slice(0, maxReported)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, spool } = this.#options
    const stopListening = spool.onTrim(() => this.look())
    let waitMs: number | null = 0
    try {
      await repeatUntilAborted(signal, async () => {
        await this.#due.wait(waitMs, signal)
        try {
          waitMs = await this.#round(signal)
        } catch (error) {
          if (signal.aborted) throw error
          waitMs = lookEveryMs
          log.error({ err: error }, "the node's runs cannot be looked at")
        }
        await clock.wait(pauseMs, signal)
      })
    } finally {
      stopListening()
      for (const watch of this.#watches.values()) watch.close()
    }
  }

  /** Look at the runs, do what is due, and send output. Returns the longest time until the next round, in milliseconds; null: until something changes. */
  async #round(signal: AbortSignal): Promise<number | null> {
    const { slivers, dateMs, spool } = this.#options
    for (const folder of this.#folders.values()) if (isUnfinished(folder)) await folder.refresh()
    const { steps, dueInMs } = planRuns({
      target: this.#target,
      slivers: await slivers.list(),
      runs: [...this.#folders.values()].map((folder) => folder.status()),
      nowMs: dateMs(),
    })
    for (const step of steps) await this.#do(step, signal)
    for (const folder of this.#folders.values()) {
      if (!isUnfinished(folder)) continue
      await this.#try(folder.record.id, 'send', async () => {
        await folder.refresh()
        await sendOutput(spool, this.#ends, folder)
      })
    }
    this.#watchUnfinished()
    const text = JSON.stringify(this.reports())
    if (text !== this.#reported) this.#options.onChange()
    this.#reported = text
    const isBusy = [...this.#folders.values()].some(isUnfinished)
    if (!isBusy) return dueInMs
    return Math.min(lookEveryMs, dueInMs ?? Infinity)
  }

  /** Do one step. A failure is a problem of the node, and does not stop the others; the step is planned again. */
  async #do(step: RunStep, signal: AbortSignal): Promise<void> {
    const id = 'target' in step ? step.target.id : step.id
    signal.throwIfAborted()
    if (step.kind === 'fetch') return this.#fetch(step.target, signal)
    await this.#try(id, step.kind, async () => {
      await this.#execute(step)
      this.#options.log.info({ run: id, step: step.kind }, 'a step of a run is done')
    })
  }

  /** Do work for a run. While it fails, that is a problem of the node. The work for the other runs is not affected. */
  async #try(id: string, kind: RunStep['kind'] | 'send', work: () => Promise<void>): Promise<void> {
    const { log, problems } = this.#options
    const key = `${kind === 'send' ? 'output of ' : ''}run ${id}`
    try {
      await work()
      problems.clear(key)
    } catch (error) {
      const message = `run ${id}: ${messageOf(error)}; it is tried again`
      problems.set(key, { member: '/runs', message })
      log.warn({ err: error, run: id, step: kind }, 'a step of a run has failed')
    }
  }

  /** Begin to fetch the files of a run. */
  async #fetch({ id, sliver, files }: RunTarget, signal: AbortSignal): Promise<void> {
    if (files == null || this.#fetching.has(id)) return
    const folder = this.#folders.get(id) ?? this.#make(id, sliver)
    await folder.save({})
    const { slivers } = this.#options
    const task = (archive: string): Promise<void> => folder.takeFiles(archive)
    this.#fetching.begin(id, signal, async (until) => {
      await this.#try(id, 'fetch', async () => {
        await slivers.useFiles(files, { signal: until, task }).catch((error: unknown) => {
          // A run that has ended meanwhile needs them no more.
          if (isOpen(folder)) throw error
        })
        if (!isOpen(folder)) await folder.dropFiles()
      })
      return folder.status().hasFiles || !isOpen(folder)
    })
  }

  async #execute(step: Exclude<RunStep, { kind: 'fetch' }>): Promise<void> {
    switch (step.kind) {
      case 'supervise':
        return this.#supervise(step.target)
      case 'cancel':
        return this.#folders.get(step.id)?.cancel()
      case 'close': {
        const folder = this.#folders.get(step.id) ?? this.#make(step.id, step.sliver)
        await folder.refresh()
        // The record of a run that goes on could not be read.
        if (folder.status().isSupervised) return folder.cancel()
        await folder.killLeft()
        const outputBytes = await folder.outputSize()
        await folder.save({ closed: { reason: step.reason, message: null }, outputBytes })
        this.#fetching.end(step.id)
        return
      }
      case 'forget': {
        await this.#folders.get(step.id)?.remove()
        this.#folders.delete(step.id)
        this.#options.checks.forget(step.id)
      }
    }
  }

  async #supervise({
    id,
    sliver,
    program,
    start_at: startAt,
    limit_ms: limitMs,
    ...target
  }: RunTarget): Promise<void> {
    const { slivers, measureDir, serverClock } = this.#options
    const folder = this.#folders.get(id) ?? this.#make(id, sliver)
    const { dir } = folder
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const instance = {
      sliceInstanceSn: target.slice_instance_sn,
      instanceSn: target.instance_sn,
    }
    const hasFiles = folder.status().hasFiles
    const env = clockVariables(serverClock.programClock())
    const asked = { runId: id, folder: dir, instance, program, hasFiles, env }
    const start = await slivers.prepareProgram(sliver, asked)
    const points = target.points ?? []
    await folder.save({ cgroup: start.cgroup, ...(points.length === 0 ? {} : { points }) })
    this.#options.checks.declare({ id, sliver, points })
    await writeFile(join(dir, 'first'), `${start.firstPid}\n${start.endingFile}\n`)
    await startSupervisor({
      folder: dir,
      startMs: startAt === null ? null : new Date(startAt).getTime(),
      limitMs,
      maxOutputBytes,
      fifo: fifoPath(measureDir(sliver)),
      start,
    })
    await folder.refresh()
  }

  #make(id: string, sliver: string): RunFolder {
    const recordedMs = this.#options.dateMs()
    const known = { cgroup: null, closed: null, isSent: false, outputBytes: 0 }
    const folder = new RunFolder(join(this.#options.dir, id), { id, sliver, recordedMs, ...known })
    this.#folders.set(id, folder)
    return folder
  }

  /** Watch the folders of runs that are not finished, and no others. */
  #watchUnfinished(): void {
    for (const [id, folder] of this.#folders) {
      if (isUnfinished(folder) && !this.#watches.has(id))
        this.#watches.set(
          id,
          watchFolder(folder.dir, () => this.look()),
        )
    }
    for (const [id, watch] of this.#watches) {
      const folder = this.#folders.get(id)
      if (folder !== undefined && isUnfinished(folder)) continue
      watch.close()
      this.#watches.delete(id)
    }
  }
}

function isOpen(folder: RunFolder): boolean {
  return folder.status().state !== 'ended'
}

/** Tell whether a run has not ended, or some of its output is not in the spool. */
function isUnfinished(folder: RunFolder): boolean {
  return isOpen(folder) || !folder.record.isSent
}
