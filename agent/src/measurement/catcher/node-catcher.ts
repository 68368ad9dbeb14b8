import { once } from 'node:events'
import { closeSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@community-lab/contract'
import {
  catcherListVersion,
  formatTask,
  parseTask,
  type CatcherList,
  type CatcherTask,
} from '../domain/catcher-list.ts'
import { ensureWake, openBothEnds, readList, wake, writeList } from './list-files.ts'
import {
  endCatcher,
  findCatcher,
  isCatcher,
  startCatcher,
  type CatcherOptions,
  type CatcherProcess,
} from './process.ts'
import { watchFolder, type FolderWatch } from './watch-folder.ts'

/** Options of {@link openNodeCatcher}. */
export interface NodeCatcherOptions extends CatcherOptions {
  /** The id of this host's current boot. */
  readonly bootId: string
  /** The longest time until the catcher answers, in milliseconds; default 10 s. */
  readonly answerWithinMs?: number
  readonly onProblem: (error: unknown) => void
}

/**
 * The catcher process of a node. It runs as long as it has something to catch. Its tasks are a list in a file, so agent and catcher may be killed at any time:
 * the next one reads the list and goes on. Each call may fail, and may be repeated at any time.
 */
export interface NodeCatcher {
  /**
   * Let the catcher store what is written to a FIFO in the folder of this name. When the call fails, the catcher goes on trying, once a second.
   * @throws Error that says why it is not caught yet.
   */
  want(folder: string, fifo: string): Promise<void>
  /**
   * Let the catcher store what was written to the FIFO of a folder before this call.
   * @throws Error that says why it does not.
   */
  empty(folder: string): Promise<void>
  /**
   * Let the catcher store what is left in the FIFO of a folder, and close both.
   * @throws Error that says why it has not closed them yet.
   */
  end(folder: string): Promise<void>
  /** Remove a folder that was ended from the list. Until then {@link NodeCatcher.end} can be called again. */
  forget(folder: string): void
  /** Stop watching the catcher process; the process itself runs on. Calls that wait for an answer fail. */
  close(): Promise<void>
}

const defaultAnswerWithinMs = 10_000
/** The delay before a catcher is started again that ended early or could not be started. */
const backoff = { firstMs: 200, longestMs: 10_000, jitter: 0.5 }
/** The interval at which the catcher's list is read when no event reports a change, in milliseconds. */
const lookMs = 1_000
/** When a catcher has run for at least this long, it is started again without delay, in milliseconds. */
const soundMs = 10_000

/** Open the catcher in a folder. A catcher that an earlier agent has started is taken over with its tasks. */
export async function openNodeCatcher(options: NodeCatcherOptions): Promise<NodeCatcher> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 })
  const catcher = new FileNodeCatcher(options)
  try {
    await catcher.takeOver()
  } catch (error) {
    await catcher.close()
    throw error
  }
  return catcher
}

/**
 * A task, and the serial of the last list with which it was requested. The serial is infinite for a task of an earlier agent: no answer is new enough, so it is
 * requested again.
 */
interface ListedTask extends CatcherTask {
  readonly serial: number
}

class FileNodeCatcher implements NodeCatcher {
  readonly #options: NodeCatcherOptions
  readonly #paths: { readonly wanted: string; readonly caught: string; readonly wake: string }
  readonly #tasks: Map<string, ListedTask>
  readonly #closed = new AbortController()
  readonly #watch: FolderWatch
  #serial: number
  #running: CatcherProcess | null = null
  #starting: Promise<CatcherProcess> | null = null
  #supervised: Promise<void> | null = null
  /** Settles when the catcher has written its list, or when this is closed. */
  #listWritten = Promise.withResolvers<undefined>()
  /** The reason for each folder that the catcher cannot catch. */
  #failed: ReadonlyMap<string, string> = new Map()

  constructor(options: NodeCatcherOptions) {
    const { dir, bootId } = options
    this.#options = options
    this.#paths = {
      wanted: join(dir, 'wanted'),
      caught: join(dir, 'caught'),
      wake: join(dir, 'wake'),
    }
    const left = readList(this.#paths.wanted)
    this.#serial = Math.max(left?.serial ?? 0, readList(this.#paths.caught)?.serial ?? 0)
    const entries = left?.writer === bootId ? [...left.entries] : []
    this.#tasks = new Map(
      entries.map(([folder, value]) => [folder, { ...parseTask(value), serial: Infinity }]),
    )
    this.#watch = watchFolder(dir, (name) => {
      if (name === null || name === 'caught') this.#hear()
    })
  }

  /**
   * Find the running catcher. A catcher of another version does not understand the list, so it is ended. Its FIFOs are kept open meanwhile, so that no writer
   * gets an error.
   */
  async takeOver(): Promise<void> {
    const { dir } = this.#options
    this.#running = findCatcher(dir, this.#closed.signal)
    if (this.#running === null) return
    if (readList(this.#paths.caught)?.version === catcherListVersion) return
    const held = [...this.#tasks.values()].flatMap(({ fifo }) => openBothEnds(fifo) ?? [])
    try {
      await endCatcher(this.#running, dir)
      if (this.#mayBeWanted()) await this.#run()
    } finally {
      for (const file of held) closeSync(file)
    }
  }

  async want(folder: string, fifo: string): Promise<void> {
    const present = this.#tasks.get(folder)
    if (present?.task === 'catch' && present.fifo === fifo)
      if (await this.#isCaught(folder, present.serial)) return
    const state = (await this.#ask(folder, { task: 'catch', fifo })).entries.get(folder)
    if (state !== 'ok') throw new Error(state ?? 'the catcher says nothing of it')
  }

  async empty(folder: string): Promise<void> {
    const present = this.#tasks.get(folder)
    if (present?.task !== 'catch') throw new Error('the catcher does not catch it')
    // A catcher moves what is in a FIFO before it answers.
    const state = (await this.#ask(folder, present)).entries.get(folder)
    if (state !== 'ok') throw new Error(state ?? 'the catcher says nothing of it')
  }

  async end(folder: string): Promise<void> {
    const present = this.#tasks.get(folder)
    if (present === undefined) return
    const { entries } = await this.#ask(folder, { task: 'end', fifo: present.fifo })
    const state = entries.get(folder)
    if (state !== 'ended') throw new Error(state ?? 'the catcher says nothing of it')
    // The catcher ends by itself when it has nothing left to catch.
    if (this.#running !== null && !this.#mayBeWanted()) await this.#awaitNews(this.#running.ended)
  }

  forget(folder: string): void {
    if (this.#tasks.get(folder)?.task !== 'end') return
    this.#tasks.delete(folder)
    this.#writeWanted()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#watch.close()
    this.#listWritten.resolve(undefined)
    await this.#supervised
  }

  /** Tell whether a catcher must run because there is something to catch. */
  #mayBeWanted(): boolean {
    return [...this.#tasks.values()].some(({ task }) => task === 'catch')
  }

  async #isCaught(folder: string, serial: number): Promise<boolean> {
    const { pid } = await this.#run()
    const caught = readList(this.#paths.caught)
    if (caught?.writer !== String(pid) || caught.serial < serial) return false
    return caught.entries.get(folder) === 'ok'
  }

  /** Put a task on the list, and wait until the catcher has answered that list or a later one. */
  async #ask(folder: string, task: CatcherTask): Promise<CatcherList> {
    const { answerWithinMs = defaultAnswerWithinMs } = this.#options
    const serial = ++this.#serial
    this.#tasks.set(folder, { ...task, serial })
    this.#writeWanted()
    const deadlineMs = performance.now() + answerWithinMs
    for (;;) {
      const written = this.#listWritten.promise
      // Look for the answer first: a catcher that has nothing left to catch ends right after its answer, and need not be started again.
      const caught = readList(this.#paths.caught)
      if (caught !== null && caught.serial >= serial) return caught
      this.#closed.signal.throwIfAborted()
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0)
        throw new Error(`the catcher has not answered within ${answerWithinMs / 1000} s`)
      const { ended } = await this.#run()
      wake(this.#paths.wake)
      await this.#awaitNews(Promise.race([written, ended]), leftMs)
    }
  }

  /** Wait for an event, at most for one look interval. */
  async #awaitNews(event: Promise<unknown>, longestMs = lookMs): Promise<void> {
    const timeout = new AbortController()
    const waitMs = Math.min(lookMs, longestMs)
    const look = delay(waitMs, undefined, { signal: timeout.signal }).catch(() => undefined)
    await Promise.race([event, this.#listWritten.promise, look])
    timeout.abort()
  }

  #writeWanted(): void {
    const entries = [...this.#tasks].map(([folder, task]): [string, string] => [
      folder,
      formatTask(task),
    ])
    const writer = this.#options.bootId
    writeList(this.#paths.wanted, { serial: this.#serial, writer, entries: new Map(entries) })
  }

  /** Start the catcher unless it runs, and make sure that it is started again whenever it ends. */
  async #run(): Promise<CatcherProcess> {
    const { dir } = this.#options
    this.#closed.signal.throwIfAborted()
    if (this.#running !== null && !isCatcher(this.#running.pid, dir)) this.#running = null
    this.#running ??= await (this.#starting ??= this.#start())
    this.#supervised ??= this.#supervise().finally(() => (this.#supervised = null))
    return this.#running
  }

  async #start(): Promise<CatcherProcess> {
    try {
      ensureWake(this.#paths.wake)
      this.#writeWanted()
      return await startCatcher(this.#options, this.#closed.signal)
    } finally {
      this.#starting = null
    }
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#closed
    const isLeft = once(signal, 'abort')
    let failures = 0
    for (;;) {
      const process = this.#running
      // It is null after a failed start, which is repeated.
      if (process !== null) {
        const startedMs = performance.now()
        await Promise.race([process.ended, isLeft])
        if (signal.aborted) return
        if (performance.now() - startedMs > soundMs) failures = 0
      }
      if (!this.#mayBeWanted()) return
      try {
        if (failures++ > 0) await delay(backoffMs(backoff, failures - 1), undefined, { signal })
        await this.#run()
      } catch (error) {
        // The wait ends early when this is closed.
        if (signal.aborted) return
        this.#options.onProblem(error)
      }
    }
  }

  /** Read what the catcher has written. */
  #hear(): void {
    this.#listWritten.resolve(undefined)
    this.#listWritten = Promise.withResolvers()
    try {
      const caught = readList(this.#paths.caught)
      if (caught === null) return
      const states = [...caught.entries]
      const failed = new Map(states.filter(([, state]) => !['ok', 'ended'].includes(state)))
      for (const [folder, state] of failed)
        if (this.#failed.get(folder) !== state)
          this.#options.onProblem(new Error(`${folder} is not caught: ${state}`))
      this.#failed = failed
    } catch (error) {
      // The list is read again at the next change.
      this.#options.onProblem(error)
    }
  }
}
