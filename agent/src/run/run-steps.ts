import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { maxOutputBytes, messageOf, type RunTarget } from '@community-lab/contract'
import { clockVariables } from '../clock/domain/server-time.ts'
import { fifoPath } from '../measurement/catcher/fifo.ts'
import type { RunStep } from '../plan/runs.ts'
import { collectFiles } from './collect.ts'
import { createRunTasks, type RunTasks } from './run-tasks.ts'
import { RunFolder } from './run-folder.ts'
import type { RunsOptions } from './runs-options.ts'
import { startSupervisor } from './supervisor.ts'

/** Does what was planned for the runs of a node. */
export interface RunSteps {
  /** Do one step. A failure is a problem of the node, and does not stop the others; the step is planned again. */
  do(step: RunStep, signal: AbortSignal): Promise<void>
  /** Do work for a run. While it fails, that is a problem of the node. The work for the other runs is not affected. */
  attempt(id: string, kind: RunStep['kind'] | 'send', work: () => Promise<void>): Promise<void>
}

/** Make the {@link RunSteps} of these folders of runs. `look` is called when something has ended that went on beside. */
export function createRunSteps(
  options: RunsOptions,
  folders: Map<string, RunFolder>,
  look: () => void,
): RunSteps {
  return new Steps(options, folders, look)
}

/** Tell whether a run has not ended. */
export function isOpen(folder: RunFolder): boolean {
  return folder.status().state !== 'ended'
}

class Steps implements RunSteps {
  readonly #options: RunsOptions
  readonly #folders: Map<string, RunFolder>
  readonly #fetching: RunTasks
  readonly #collecting: RunTasks

  constructor(options: RunsOptions, folders: Map<string, RunFolder>, look: () => void) {
    this.#options = options
    this.#folders = folders
    this.#fetching = createRunTasks(options.clock, look)
    this.#collecting = createRunTasks(options.clock, look)
  }

  async do(step: RunStep, signal: AbortSignal): Promise<void> {
    const id = 'target' in step ? step.target.id : step.id
    signal.throwIfAborted()
    if (step.kind === 'fetch') return this.#fetch(step.target, signal)
    if (step.kind === 'collect') {
      this.#collect(step.id, signal)
      return
    }
    await this.attempt(id, step.kind, async () => {
      await this.#execute(step)
      this.#options.log.info({ run: id, step: step.kind }, 'a step of a run is done')
    })
  }

  async attempt(
    id: string,
    kind: RunStep['kind'] | 'send',
    work: () => Promise<void>,
  ): Promise<void> {
    const { log, problems } = this.#options
    const of = kind === 'send' ? 'output of ' : kind === 'collect' ? 'files of ' : ''
    const key = `${of}run ${id}`
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
      await this.attempt(id, 'fetch', async () => {
        await slivers.useFiles(files, { signal: until, task }).catch((error: unknown) => {
          // A run that has ended meanwhile needs them no more.
          if (isOpen(folder)) throw error
        })
        if (!isOpen(folder)) await folder.dropFiles()
      })
      return folder.status().hasFiles || !isOpen(folder)
    })
  }

  /** Begin to take the files of a run that has ended out of its sliver. */
  #collect(id: string, signal: AbortSignal): void {
    const folder = this.#folders.get(id)
    const { keep, sliver } = folder?.record ?? {}
    if (folder === undefined || keep === undefined || sliver === undefined) return
    if (this.#collecting.has(id)) return
    const { patterns, ...instance } = keep
    this.#collecting.begin(id, signal, async (until) => {
      let isDone = false
      await this.attempt(id, 'collect', async () => {
        const files = await collectFiles({
          ...{ dir: folder.keptDir, patterns, signal: until },
          prepare: (of) =>
            this.#options.slivers.prepareProgram(sliver, { runId: id, instance, env: {}, ...of }),
        })
        await folder.noteKept({ files })
        isDone = true
      })
      return isDone
    })
  }

  async #execute(step: Exclude<RunStep, { kind: 'fetch' | 'collect' }>): Promise<void> {
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
      case 'miss': {
        const folder = this.#folders.get(step.id)
        const missed = { bytes: null, sha256: null, problem: `${step.why} before it was taken` }
        const files = folder?.record.keep?.patterns.map((path) => ({ path, ...missed })) ?? []
        this.#collecting.end(step.id)
        return folder?.noteKept({ files })
      }
      case 'forget': {
        await this.#folders.get(step.id)?.remove()
        this.#folders.delete(step.id)
        this.#options.checks.forget(step.id)
      }
    }
  }

  async #supervise(target: RunTarget): Promise<void> {
    const { id, sliver, program, start_at: startAt, limit_ms: limitMs } = target
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
    const { keep: patterns } = program
    await folder.save({
      cgroup: start.cgroup,
      ...(points.length === 0 ? {} : { points }),
      ...(patterns === undefined ? {} : { keep: { patterns, ...instance } }),
    })
    this.#options.checks.declare({ id, sliver, points })
    await writeFile(join(dir, 'first'), `${start.firstPid}\n${start.endingFile}\n`)
    await folder.start.clear()
    await folder.start.tell(target, serverClock)
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
}
