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

/** The cell was interrupted while it was compiled. */
export class CompilationInterrupted extends Error {}

/** How long a compilation may go on after an interrupt before its thread is ended, in milliseconds. */
const graceMs = 1000

/**
 * Bounds of the thread's memory, in MiB. Live objects take 70 MiB with the library imported. With V8's default bounds garbage takes several times that before it is
 * collected, at the same speed. A cell whose types need more ends the thread, and a new thread takes its place.
 */
const threadLimits = { maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 1024 }

/** Accepted cells are looked through after so many: those that nothing needs any more are forgotten. */
const pruneAfter = 32

/** The build bundles the thread's program with TypeScript: it starts sooner and takes half of the memory. */
const threadFile = import.meta.url.endsWith('.ts') ? 'compile-thread' : 'compile-thread.bundle'

/** After so many failed starts in a row, no other thread is started. */
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
 * Turns cells into JavaScript and answers questions about unfinished ones, in a thread of its own. Offsets are counted in code points, as Jupyter does.
 *
 * Invariants: every question is answered or rejected. When the thread ends (by a defect, or because it did not react to an interrupt), the question that it
 * worked on is rejected. A new thread compiles the cells that ran before, and the one that runs, once more, and then answers the other questions.
 */
export class Compiler {
  readonly #options: CompilerOptions
  /** Questions without an answer, in their order. */
  readonly #waiting = new Map<number, Waiting>()
  /** The cells that ran and that later cells may need, and how far they came. */
  #accepted: readonly AcceptedCell[] = []
  /** How many of them there were when they were last looked through. */
  #neededCount = 0
  /** Cells that were compiled and have not ended, by their number. */
  readonly #sources = new Map<number, CellSource>()
  readonly #ready = Promise.withResolvers<null>()
  readonly #ended = Promise.withResolvers<null>()
  #worker: Worker
  #lastId = 0
  /** The question that the cell waits for which is compiled, or has just ended. */
  #awaited: number | null = null
  /** Threads in a row that ended before they could compile. */
  #failedStarts = 0
  /** Why there is no thread any more. */
  #end: Error | null = null

  constructor(options: CompilerOptions) {
    this.#options = options
    this.#worker = this.#start()
  }

  /** Fulfilled when the compiler is loaded. A cell that comes earlier waits for that. */
  get ready(): Promise<unknown> {
    return this.#ready.promise
  }

  /** Fulfilled when there is no thread any more, and none will be. */
  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  /**
   * Check a cell and make JavaScript of it.
   *
   * @throws {@link CompilationInterrupted} after {@link interrupt}.
   */
  async compile(source: CellSource): Promise<Compilation> {
    const compiled = this.#ask('compile', source)
    this.#awaited = this.#lastId
    const compilation = await compiled.catch((error: unknown) => {
      // The thread may come to its end with this cell all the same.
      if (error instanceof CompilationInterrupted)
        this.#ask('abandon', source.number).catch(() => undefined)
      throw error
    })
    this.#awaited = null
    if (compilation.ok) this.#sources.set(source.number, source)
    return compilation
  }

  /** Make known to later cells what a compiled cell declared, as far as it ran. Returns a sentence for each earlier cell that no longer fits. */
  async accept(number: number, reached: number): Promise<readonly string[]> {
    const source = this.#sources.get(number)
    this.#sources.delete(number)
    if (source !== undefined) this.#accepted = [...this.#accepted, { source, reached }]
    const accepted = this.#ask('accept', number, reached)
    this.#awaited = this.#lastId
    if (this.#accepted.length >= this.#neededCount + pruneAfter) void this.#prune()
    return accepted
  }

  /** Forget the cells that no later cell needs. */
  async #prune(): Promise<void> {
    const known = new Set(this.#accepted)
    this.#neededCount = known.size
    const numbers = await this.#ask('needed').catch(() => null)
    // The thread has ended; another cell asks again.
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

  /** Forget all that cells declared: the process that held their values is gone. */
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

  /** What is at the cursor, as Markdown; null when there is nothing to say. */
  inspect(code: string, cursor: number): Promise<string | null> {
    return this.#ask('inspect', code, toUtf16Offset(code, cursor))
  }

  /** Whether a cell can run as it is. */
  isComplete(code: string): Promise<Completeness> {
    return this.#ask('isComplete', code)
  }

  /** Interrupt what the thread does for a cell, if it does anything. It is rejected at once. The thread is ended if it goes on for longer than {@link graceMs}. */
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

  /** End the thread. */
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
      // The thread answers with what the method returns.
      resolve: (value) => asked.resolve(value as ReturnType<CompilerMethods[Method]>),
      reject: (error) => asked.reject(error),
    })
    this.#worker.postMessage(question)
    return asked.promise
  }

  #start(): Worker {
    const worker = new Worker(siblingFile(import.meta.url, threadFile), {
      workerData: this.#options,
      resourceLimits: threadLimits,
    })
    let reason: unknown = null
    worker.on('message', (answer: CompilerAnswer | null) => {
      if (answer === null) {
        this.#failedStarts = 0
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
