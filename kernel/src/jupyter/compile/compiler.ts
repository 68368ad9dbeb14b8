import { Worker } from 'node:worker_threads'
import { siblingFile } from '../sibling-file.ts'
import { toCodePointOffset, toUtf16Offset } from '../text-position.ts'
import type {
  CellSource,
  Compilation,
  Completeness,
  Completion,
  CompilerMethods,
} from './compilation.ts'
import type { CompilerAnswer, CompilerOptions, CompilerQuestion } from './compile-thread.ts'

/** Thrown when a cell is interrupted while it is compiled. */
export class CompilationInterrupted extends Error {}

/** How long a compilation may go on after an interrupt before its thread is terminated, in milliseconds. */
const graceMs = 1000

/**
 * Limits of the thread's memory, in MiB. Live objects take 70 MiB with the library imported. With V8's default limits, garbage grows to several times that
 * before it is collected, without any gain in speed. A cell whose types need more ends the thread, and a new thread replaces it.
 */
const threadLimits = { maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 1024 }

/** After this many accepted cells, the compiler removes those that no later cell needs. */
const pruneAfter = 32

/** The build bundles the thread's program with TypeScript: it starts sooner and takes half of the memory. */
const threadFile = import.meta.url.endsWith('.ts') ? 'compile-thread' : 'compile-thread.bundle'

/** After this many failed starts in a row, no other thread is started. */
const maxFailedStarts = 3

interface AcceptedCell {
  readonly source: CellSource
  readonly reached: number
}

interface Waiting {
  readonly question: CompilerQuestion
  resolve(value: unknown): void
  reject(error: unknown): void
}

/**
 * Compiles cells to JavaScript and answers questions about unfinished ones, in a thread of its own. Offsets count code points, as in Jupyter.
 *
 * Invariants: every call is answered or rejected. When the thread ends because of a defect or because it did not react to an interrupt, the call that it worked
 * on is rejected. A new thread compiles the accepted cells and the running one again, and then answers the other calls.
 */
export class Compiler {
  readonly #options: CompilerOptions
  /** Calls without an answer, in order. */
  readonly #waiting = new Map<number, Waiting>()
  /** The cells that have run and that later cells may need, and how far each of them ran. */
  #accepted: readonly AcceptedCell[] = []
  /** The number of accepted cells after the last removal. */
  #neededCount = 0
  /** Cells that were compiled and have not ended, by number. */
  readonly #sources = new Map<number, CellSource>()
  readonly #ready = Promise.withResolvers<null>()
  readonly #ended = Promise.withResolvers<null>()
  #isReady = false
  #worker: Worker
  #lastId = 0
  /** The call that the execution of a cell waits for. */
  #awaited: number | null = null
  /** How many threads in a row ended before they could compile. */
  #failedStarts = 0
  /** Why no thread is left; null while there is one. */
  #end: Error | null = null

  constructor(options: CompilerOptions) {
    this.#options = options
    this.#worker = this.#start()
  }

  /** Resolves when the compiler is loaded. A cell that arrives earlier waits for that. */
  get ready(): Promise<unknown> {
    return this.#ready.promise
  }

  /** Whether the compiler is loaded. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Resolves when no thread is left and none will be started. */
  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  /**
   * Check a cell and compile it to JavaScript.
   *
   * @throws {@link CompilationInterrupted} after {@link interrupt}.
   */
  async compile(source: CellSource): Promise<Compilation> {
    const compiled = this.#ask('compile', source)
    this.#awaited = this.#lastId
    const compilation = await compiled.catch((error: unknown) => {
      // The thread may still compile the cell after the interrupt. Then it must remove the cell again.
      if (error instanceof CompilationInterrupted)
        this.#ask('abandon', source.number).catch(() => undefined)
      throw error
    })
    this.#awaited = null
    if (compilation.ok) this.#sources.set(source.number, source)
    return compilation
  }

  /**
   * Make the declarations of a compiled cell known to later cells, as far as it ran. Returns a sentence for each earlier cell that is a misfit now (see
   * {@link findMisfits}).
   */
  async accept(number: number, reached: number): Promise<readonly string[]> {
    const source = this.#sources.get(number)
    this.#sources.delete(number)
    if (source !== undefined) this.#accepted = [...this.#accepted, { source, reached }]
    const accepted = this.#ask('accept', number, reached)
    this.#awaited = this.#lastId
    if (this.#accepted.length >= this.#neededCount + pruneAfter) void this.#prune()
    return accepted
  }

  /** Remove the accepted cells that no later cell needs. */
  async #prune(): Promise<void> {
    const known = new Set(this.#accepted)
    this.#neededCount = known.size
    const numbers = await this.#ask('needed').catch(() => null)
    // The thread has ended. The next removal asks again.
    if (numbers === null) return
    const needed = new Set(numbers)
    this.#accepted = this.#accepted.filter(
      (each) => !known.has(each) || needed.has(each.source.number),
    )
    this.#neededCount = this.#accepted.length
  }

  /** How many cells a new thread would compile again. */
  get remembered(): number {
    return this.#accepted.length
  }

  /** Remove all cells, because the process that held their values has ended. */
  reset(): void {
    this.#accepted = []
    this.#neededCount = 0
    this.#sources.clear()
    this.#ask('reset').catch(() => undefined)
  }

  /** Complete an unfinished cell. */
  async complete(code: string, cursor: number): Promise<Completion> {
    const found = await this.#ask('complete', code, toUtf16Offset(code, cursor))
    return {
      start: toCodePointOffset(code, found.start),
      end: toCodePointOffset(code, found.end),
      matches: found.matches,
    }
  }

  /** Describe what is at the cursor, as Markdown; null when nothing is known. */
  inspect(code: string, cursor: number): Promise<string | null> {
    return this.#ask('inspect', code, toUtf16Offset(code, cursor))
  }

  /** Tell whether a cell can run as it is. */
  isComplete(code: string): Promise<Completeness> {
    return this.#ask('isComplete', code)
  }

  /**
   * Interrupt the call that the execution of a cell waits for. It is rejected at once. The thread is terminated if it goes on for longer than {@link graceMs}.
   */
  interrupt(): void {
    const id = this.#awaited
    const waiting = id === null ? undefined : this.#waiting.get(id)
    if (id === null || waiting === undefined) return
    this.#awaited = null
    const worker = this.#worker
    this.#waiting.set(id, { ...waiting, resolve: () => undefined, reject: () => undefined })
    waiting.reject(new CompilationInterrupted('the cell was interrupted'))
    setTimeout(() => {
      if (this.#waiting.has(id) && worker === this.#worker) void worker.terminate()
    }, graceMs)
  }

  /** Terminate the thread. */
  async close(): Promise<void> {
    this.#end = new Error('the kernel ends')
    await this.#worker.terminate()
  }

  #ask<Method extends keyof CompilerMethods>(
    method: Method,
    ...args: Parameters<CompilerMethods[Method]>
  ): Promise<ReturnType<CompilerMethods[Method]>> {
    if (this.#end !== null) return Promise.reject(this.#end)
    const asked = Promise.withResolvers<ReturnType<CompilerMethods[Method]>>()
    this.#lastId += 1
    const question = { id: this.#lastId, method, args }
    this.#waiting.set(question.id, {
      question,
      // The thread answers with the return value of the method.
      resolve: (value) => asked.resolve(value as ReturnType<CompilerMethods[Method]>),
      reject: (error) => asked.reject(error),
    })
    this.#worker.postMessage(question)
    return asked.promise
  }

  #start(): Worker {
    this.#isReady = false
    const worker = new Worker(siblingFile(import.meta.url, threadFile), {
      workerData: this.#options,
      resourceLimits: threadLimits,
    })
    let reason: unknown = null
    worker.on('message', (answer: CompilerAnswer | null) => {
      if (answer === null) {
        this.#failedStarts = 0
        this.#isReady = true
        this.#ready.resolve(null)
        return
      }
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(answer.error)
      else waiting?.resolve(answer.value)
    })
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', () => this.#replace(reason))
    return worker
  }

  #replace(reason: unknown): void {
    const [culprit, ...others] = [...this.#waiting.values()]
    this.#waiting.clear()
    const ended = new Error(describeEnd(reason), { cause: reason })
    culprit?.reject(ended)
    if (this.#failedStarts > maxFailedStarts) this.#end ??= ended
    if (this.#end !== null) {
      for (const { reject } of others) reject(this.#end)
      this.#ended.resolve(null)
      return
    }
    this.#failedStarts += 1
    this.#worker = this.#start()
    for (const { source, reached } of this.#accepted) {
      this.#ask('compile', source).catch(() => undefined)
      this.#ask('accept', source.number, reached, true).catch(() => undefined)
    }
    for (const source of this.#sources.values()) this.#ask('compile', source).catch(() => undefined)
    for (const waiting of others) {
      this.#waiting.set(waiting.question.id, waiting)
      this.#worker.postMessage(waiting.question)
    }
  }
}

function describeEnd(reason: unknown): string {
  if (!(reason instanceof Error)) return 'the thread that compiles cells was stopped'
  if ('code' in reason && reason.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return `the types of this cell need more memory than the compiler has (${threadLimits.maxOldGenerationSizeMb} MiB); earlier cells are as they were`
  return `the thread that compiles cells has ended: ${reason.message}`
}
