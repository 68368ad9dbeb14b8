import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  watch,
  writeSync,
  type FSWatcher,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@community-lab/contract'
import { formatCatcherList, parseCatcherList, type CatcherList } from '../domain/catcher-list.ts'
import {
  endCatcher,
  findCatcher,
  isCatcher,
  startCatcher,
  type CatcherOptions,
  type CatcherProcess,
} from './process.ts'

/** Options of {@link openNodeCatcher}. */
export interface NodeCatcherOptions extends CatcherOptions {
  /** The boot of this host. */
  readonly bootId: string
  readonly onProblem: (error: unknown) => void
}

/** The one catcher process of a node, which runs while anything is wanted of it. */
export interface NodeCatcher {
  /**
   * Have it catch what is written to a FIFO into a folder, whose name this is.
   * @throws Error that says why it can't.
   */
  want(folder: string, fifo: string): Promise<void>
  /** Have it catch what is left in the FIFO of a folder, and let go of both. */
  unwant(folder: string): Promise<void>
  /** Stop watching the catcher process; the process itself runs on. */
  close(): Promise<void>
}

const answerWithinMs = 10_000
/** The delay before a catcher that ended early, or could not be started, is started again. */
const backoff = { firstMs: 200, longestMs: 10_000, jitter: 0.5 }
/** How often the list that the catcher writes is read when no event has told of a change, in milliseconds. */
const lookMs = 1_000
/** A catcher that ended after running for at least this long is started again without a wait, in milliseconds. */
const soundMs = 10_000

/** Open the catcher in a folder: take over the one that an agent before has left, with what it was wanted to catch. */
export async function openNodeCatcher(options: NodeCatcherOptions): Promise<NodeCatcher> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 })
  const catcher = new FileNodeCatcher(options)
  await catcher.takeOver()
  return catcher
}

class FileNodeCatcher implements NodeCatcher {
  readonly #options: NodeCatcherOptions
  readonly #paths: { readonly wanted: string; readonly caught: string; readonly wake: string }
  readonly #wanted: Map<string, string>
  readonly #closed = new AbortController()
  readonly #watcher: FSWatcher
  #serial: number
  #running: CatcherProcess | null = null
  #starting: Promise<CatcherProcess> | null = null
  #supervised: Promise<void> | null = null
  /** Settles when the catcher tells something. */
  #told = Promise.withResolvers<undefined>()
  /** What is known of slivers that cannot be caught. */
  #failed: ReadonlyMap<string, string> = new Map()

  constructor(options: NodeCatcherOptions) {
    const { dir, bootId, onProblem } = options
    this.#options = options
    this.#paths = {
      wanted: join(dir, 'wanted'),
      caught: join(dir, 'caught'),
      wake: join(dir, 'wake'),
    }
    const left = readList(this.#paths.wanted)
    this.#wanted = new Map(left?.writer === bootId ? left.entries : [])
    this.#serial = Math.max(left?.serial ?? 0, readList(this.#paths.caught)?.serial ?? 0)
    this.#watcher = watch(dir, (_, name) => {
      if (name === 'caught') this.#hear()
    })
    this.#watcher.on('error', onProblem)
  }

  /** Find the catcher that runs. One of another version cannot be spoken with: it is ended, and its FIFOs are held meanwhile, so that no writer fails. */
  async takeOver(): Promise<void> {
    const { dir } = this.#options
    this.#running = findCatcher(dir, this.#closed.signal)
    if (this.#running === null || readList(this.#paths.caught) !== null) return
    const held = [...this.#wanted.values()].flatMap(maybeOpen)
    await endCatcher(this.#running, dir)
    await this.#run()
    for (const file of held) closeSync(file)
  }

  async want(folder: string, fifo: string): Promise<void> {
    if (this.#wanted.get(folder) === fifo && (await this.#isCaught(folder))) return
    this.#wanted.set(folder, fifo)
    try {
      const state = (await this.#settle()).entries.get(folder)
      if (state !== undefined && state !== 'ok') throw new Error(state)
    } catch (error) {
      this.#wanted.delete(folder)
      throw error
    }
  }

  async unwant(folder: string): Promise<void> {
    const fifo = this.#wanted.get(folder)
    while (fifo !== undefined) {
      // A catcher that has died is started again first, because somebody must catch what is still in the FIFO.
      const process = await this.#run()
      this.#wanted.delete(folder)
      if ((await this.#settle()).writer === String(process.pid)) {
        await this.#awaitEnd(process)
        return
      }
      // That catcher died before it had emptied the FIFO, so the next one must do it.
      this.#wanted.set(folder, fifo)
      await this.#settle()
    }
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#watcher.close()
    await this.#supervised
  }

  async #isCaught(folder: string): Promise<boolean> {
    const { pid } = await this.#run()
    const caught = readList(this.#paths.caught)
    return caught?.writer === String(pid) && caught.entries.get(folder) === 'ok'
  }

  /** Wait for the end of a catcher that has nothing left to catch: it ends by itself. */
  async #awaitEnd({ ended }: CatcherProcess): Promise<void> {
    const timeout = new AbortController()
    const look = delay(lookMs, undefined, { signal: timeout.signal }).catch(() => undefined)
    if (this.#wanted.size === 0) await Promise.race([ended, this.#told.promise, look])
    timeout.abort()
  }

  /** Have it read what is wanted now, and wait until it has done that. */
  async #settle(): Promise<CatcherList> {
    const asked = ++this.#serial
    this.#writeWanted()
    const deadline = performance.now() + answerWithinMs
    while (performance.now() < deadline) {
      const told = this.#told.promise
      // Looked at first: a catcher that has nothing left to catch ends right after its answer, and must not be started again for it.
      const caught = readList(this.#paths.caught)
      if (caught !== null && caught.serial >= asked) return caught
      const { ended } = await this.#run()
      wake(this.#paths.wake)
      const timeout = new AbortController()
      const look = delay(lookMs, undefined, { signal: timeout.signal }).catch(() => undefined)
      await Promise.race([told, ended, look])
      timeout.abort()
    }
    throw new Error(`the catcher has not answered within ${answerWithinMs / 1000} s`)
  }

  #writeWanted(): void {
    const { bootId } = this.#options
    const list = { serial: this.#serial, writer: bootId, entries: this.#wanted }
    writeInPlace(this.#paths.wanted, formatCatcherList(list))
  }

  /** Start it unless it runs, and see that it is started again whenever it ends. */
  async #run(): Promise<CatcherProcess> {
    const { dir } = this.#options
    if (this.#running !== null && !isCatcher(this.#running.pid, dir)) this.#running = null
    this.#running ??= await (this.#starting ??= this.#start())
    this.#supervised ??= this.#supervise().finally(() => (this.#supervised = null))
    return this.#running
  }

  async #start(): Promise<CatcherProcess> {
    try {
      ensureFifo(this.#paths.wake)
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
      // Null after a start that failed: it is tried again.
      if (process !== null) {
        const startedMs = performance.now()
        await Promise.race([process.ended, isLeft])
        if (signal.aborted) return
        if (performance.now() - startedMs > soundMs) failures = 0
      }
      // It ends by itself when nothing is wanted of it.
      if (this.#wanted.size === 0) return
      try {
        if (failures++ > 0) await delay(backoffMs(backoff, failures - 1), undefined, { signal })
        await this.#run()
      } catch (error) {
        // A wait that was cut short is no problem.
        if (this.#closed.signal.aborted) return
        this.#options.onProblem(error)
      }
    }
  }

  /** Take note of what the catcher tells. */
  #hear(): void {
    this.#told.resolve(undefined)
    this.#told = Promise.withResolvers()
    const caught = readList(this.#paths.caught)
    if (caught === null) return
    const failed = new Map([...caught.entries].filter(([, state]) => state !== 'ok'))
    for (const [folder, state] of failed)
      if (this.#failed.get(folder) !== state)
        this.#options.onProblem(new Error(`${folder} is not caught: ${state}`))
    this.#failed = failed
  }
}

function readList(path: string): CatcherList | null {
  try {
    return parseCatcherList(readFileSync(path, 'utf8'))
  } catch {
    // Never written.
    return null
  }
}

/** Overwrite a file instead of replacing it: a full disk has no room for a second file. */
function writeInPlace(path: string, text: string): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at)
    ftruncateSync(file, bytes.length)
  } finally {
    closeSync(file)
  }
}

function ensureFifo(path: string): void {
  if (maybeOpen(path).map(closeSync).length === 0) execFileSync('mkfifo', ['-m', '600', path])
}

/** Tell the catcher that there is something to read. Without a catcher nothing happens: one that starts reads first. */
function wake(path: string): void {
  for (const file of maybeOpen(path)) {
    try {
      writeSync(file, '\n')
    } catch {
      // It is full, so the catcher has enough to wake up for.
    } finally {
      closeSync(file)
    }
  }
}

/** Open a FIFO so that it has a reader and a writer; nothing when there is none. */
function maybeOpen(path: string): number[] {
  try {
    return [openSync(path, constants.O_RDWR | constants.O_NONBLOCK)]
  } catch {
    // Not made yet, or gone with its sliver.
    return []
  }
}
