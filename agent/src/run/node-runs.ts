import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, type RunReport } from '@community-lab/contract'
import { readDocument } from '../disk/document.ts'
import { createAutoResetEvent } from '../loop/auto-reset-event.ts'
import { repeatUntilAborted } from '../loop/repeat.ts'
import { watchFolder, type FolderWatch } from '../measurement/catcher/watch-folder.ts'
import { planRuns } from '../plan/runs.ts'
import type { NodeWanted } from '../plan/wanted.ts'
import { createEndRows, type EndRows } from './end-rows.ts'
import { createFileSender, type FileSender } from './file-sender.ts'
import { sendOutput } from './output-sender.ts'
import { runRecordFormat } from './record.ts'
import { RunFolder } from './run-folder.ts'
import type { RunsOptions } from './runs-options.ts'
import { createRunSteps, isOpen, type RunSteps } from './run-steps.ts'
import { nowMsOf } from './start-time.ts'

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
  readonly #steps: RunSteps
  readonly #ends: EndRows
  readonly #files: FileSender
  readonly #watches = new Map<string, FolderWatch>()
  readonly #due
  #target: NodeWanted | null = null
  #reported = ''

  constructor(options: RunsOptions, folders: Map<string, RunFolder>) {
    this.#options = options
    this.#folders = folders
    this.#due = createAutoResetEvent(options.clock)
    this.#steps = createRunSteps(options, folders, () => this.look())
    this.#files = createFileSender(options.spool)
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
    const { slivers, dateMs, serverClock, spool } = this.#options
    for (const folder of this.#folders.values()) if (isUnfinished(folder)) await folder.refresh()
    const { steps, dueInMs } = planRuns({
      target: this.#target,
      slivers: await slivers.list(),
      runs: [...this.#folders.values()].map((folder) => folder.status()),
      nowMs: nowMsOf(serverClock, dateMs),
    })
    for (const step of steps) await this.#steps.do(step, signal)
    await this.#tellStarts()
    for (const folder of this.#folders.values()) {
      if (!isUnfinished(folder)) continue
      await this.#steps.attempt(folder.record.id, 'send', async () => {
        await folder.refresh()
        await sendOutput(folder, { spool, ends: this.#ends, files: this.#files })
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

  /** Tell the supervisors of runs that have not begun what is known of their start by now. */
  async #tellStarts(): Promise<void> {
    for (const target of this.#target?.runs ?? []) {
      const folder = this.#folders.get(target.id)
      const { state, isSupervised } = folder?.status() ?? {}
      if (folder === undefined || state !== 'waiting' || isSupervised !== true) continue
      await this.#steps.attempt(target.id, 'supervise', () =>
        folder.start.tell(target, this.#options.serverClock),
      )
    }
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

/** Tell whether a run has not ended, or some of its output or files is not in the spool. */
function isUnfinished(folder: RunFolder): boolean {
  return isOpen(folder) || !folder.record.isSent
}
