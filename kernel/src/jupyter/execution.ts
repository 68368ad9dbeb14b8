import { setImmediate as yieldToSockets, setTimeout as delay } from 'node:timers/promises'
import { failureOf } from './child/failure.ts'
import type { Bundle, Failure } from './child/protocol.ts'
import type { CellSource, Compilation, CompiledCell } from './compile/compilation.ts'
import { CompilationInterrupted, type Compiler } from './compile/compiler.ts'
import type { History } from './history.ts'
import type { Runner } from './runner.ts'
import { plainOf, readQuestion } from './questions.ts'
import { complaintsContent, failureContent, type ErrorContent } from './traceback.ts'
import type { Json, Message, MessageDraft } from './wire/message.ts'

/** What {@link Execution} uses of the kernel. */
export interface ExecutionContext {
  readonly runner: Runner
  readonly compiler: Compiler
  readonly history: History
  publish(request: Message, draft: MessageDraft): void
  reply(request: Message, draft: MessageDraft): void
}

/** How long to wait for requests that were sent together with one that fails, in milliseconds. */
const settleMs = 10

/** After this time, a cell says that it is still being compiled, in milliseconds. */
const longMs = 1000
const longNotice =
  'The types of this cell are being checked, which takes more than a second. An interrupt ends it.'

/** Executes the cells of a session: it counts them, stores their sources for tracebacks, and sends the replies. */
export class Execution {
  readonly #context: ExecutionContext
  readonly #sources = new Map<string, string>()
  readonly #requests = new Map<number, Message>()
  /** For the number of each expression of a request that is being evaluated: its value; null until it has one. */
  readonly #values = new Map<number, Bundle | null>()
  #count = 0
  #number = 0

  constructor(context: ExecutionContext) {
    this.#context = context
  }

  /** The latest execution count. */
  get count(): number {
    return this.#count
  }

  /** Return the request of a cell, also long after the cell has ended. */
  requestOf(cell: number): Message | null {
    return this.#requests.get(cell) ?? null
  }

  /** Store the result of an expression of a request, whose value is part of the reply. Returns false when the number is not that of an expression. */
  takeValue(cell: number, data: Bundle): boolean {
    if (!this.#values.has(cell)) return false
    this.#values.set(cell, data)
    return true
  }

  /** Execute one request and reply to it. Returns false when the requests that were sent after it must not run. */
  async execute(request: Message): Promise<boolean> {
    const { content } = request
    const code = typeof content['code'] === 'string' ? content['code'] : ''
    const silent = content['silent'] === true
    const counted = !silent && content['store_history'] !== false
    if (counted) this.#count += 1
    this.#numberRequest(request)
    const name = counted ? `cell-${this.#count}.ts` : `cell-${this.#count}-${this.#number}.ts`
    if (counted) this.#context.history.add(this.#count, code)
    if (!silent) {
      const input = { code, execution_count: this.#count }
      this.#context.publish(request, { type: 'execute_input', content: input })
    }
    const executionCount = this.#count
    const { question, rest } = readQuestion(code)
    const error = await this.#run(request, name, rest)
    const payload = question === null || error !== null ? [] : await this.#explain(question)
    const values = error === null ? await this.#evaluateAll(request) : {}
    if (error !== null) {
      this.#context.publish(request, { type: 'error', content: { ...error } })
      // "Run all" sends all cells at once, but the socket delivers them one by one. Wait until they have arrived. A cell that arrives after the reply runs,
      // because its sender has seen the error.
      await delay(settleMs)
    }
    this.#context.reply(request, {
      type: 'execute_reply',
      content: {
        ...(error === null
          ? { status: 'ok', payload, user_expressions: values }
          : { status: 'error', ...error }),
        execution_count: executionCount,
      },
    })
    // A silent request comes from an extension. Its error must not stop the user's cells.
    return error === null || silent || content['stop_on_error'] === false
  }

  /** Describe what the last line of a cell asks for, such as `name?`. */
  async #explain(name: string): Promise<readonly Json[]> {
    const found = await this.#context.compiler.inspect(name, name.length).catch(() => null)
    const text = found ?? `Nothing is known of ${name}.`
    return [
      { source: 'page', data: { 'text/markdown': text, 'text/plain': plainOf(text) }, start: 0 },
    ]
  }

  /** Give a request a new number. */
  #numberRequest(request: Message): void {
    const { silent, allow_stdin, store_history } = request.content
    this.#number += 1
    // Drop the code of the request, which is not needed later.
    this.#requests.set(this.#number, {
      ...request,
      content: { silent: silent === true, allow_stdin, store_history },
    })
  }

  /**
   * Evaluate the expressions of a request after its cell.
   *
   * Source: Jupyter messaging protocol 5.3, `user_expressions`: the value of each as data by MIME type, or its error.
   */
  async #evaluateAll(request: Message): Promise<Json> {
    const asked = request.content['user_expressions']
    const values: Record<string, Json> = {}
    if (typeof asked !== 'object' || asked === null) return values
    for (const [name, expression] of Object.entries(asked)) {
      const value = await this.#evaluate(request, String(expression))
      values[name] = value
      // One interrupt ends all of them.
      if (value['ename'] === 'KeyboardInterrupt') break
    }
    return values
  }

  async #evaluate(request: Message, expression: string): Promise<Json> {
    this.#numberRequest(request)
    const number = this.#number
    this.#values.set(number, null)
    const name = `cell-${this.#count}-${number}.ts`
    // In parentheses, a statement is a syntax error. The newline ends a comment before the closing parenthesis.
    const error = await this.#run(request, name, `(${expression}\n)`)
    const value = this.#values.get(number)
    this.#values.delete(number)
    if (error !== null) return { status: 'error', ...error }
    this.#sources.delete(name)
    return { status: 'ok', data: value ?? { 'text/plain': 'undefined' }, metadata: {} }
  }

  async #run(request: Message, name: string, code: string): Promise<ErrorContent | null> {
    this.#sources.set(name, code)
    if (code.trim() === '') return null
    // Send all queued messages before the cell starts.
    await yieldToSockets()
    const number = this.#number
    let compilation
    try {
      compilation = await this.#compile(request, { number, name, code })
    } catch (thrown) {
      // An interrupt, or a defect of the compiler. The cell reports it, and the kernel goes on.
      return failureContent(compilerFailureOf(thrown), this.#sources)
    }
    if (!compilation.ok) return complaintsContent(compilation.complaints, name, this.#sources)
    this.#warn(request, compilation.notices)
    return this.#runCompiled(request, name, compilation.cell)
  }

  /** Compile a cell. If that takes long, the cell says so until it runs. */
  async #compile(request: Message, source: CellSource): Promise<Compilation> {
    const { compiler, publish } = this.#context
    const notice = { isShown: false }
    const timer = setTimeout(() => {
      // The compiler is still being loaded when the first cell comes at once.
      if (!compiler.isReady || request.content['silent'] === true) return
      notice.isShown = true
      // The mark tells frontends that this is of no interest later.
      this.#warn(request, [longNotice], { progress: true })
    }, longMs)
    try {
      return await compiler.compile(source)
    } finally {
      clearTimeout(timer)
      if (notice.isShown) publish(request, { type: 'clear_output', content: { wait: false } })
    }
  }

  async #runCompiled(
    request: Message,
    name: string,
    cell: CompiledCell,
  ): Promise<ErrorContent | null> {
    const { compiler, runner } = this.#context
    const number = this.#number
    const canAsk = request.content['allow_stdin'] === true
    const { failure, reached } = await runner.run(cell, { number, name, canAsk })
    // Accept before the next cell is compiled, so that it knows what this one declared before it ended or failed.
    const misfits = await compiler
      .accept(number, failure === null ? Infinity : reached)
      .catch(() => [])
    this.#warn(request, misfits)
    return failure === null ? null : failureContent(failure, this.#sources)
  }

  /** Print sentences among the output of a cell. */
  #warn(request: Message, sentences: readonly string[], metadata: Json = {}): void {
    if (sentences.length === 0) return
    const text = `${sentences.join('\n')}\n`
    this.#context.publish(request, { type: 'stream', content: { name: 'stderr', text }, metadata })
  }
}

function compilerFailureOf(thrown: unknown): Failure {
  if (thrown instanceof CompilationInterrupted)
    return { name: 'KeyboardInterrupt', message: thrown.message, text: '' }
  return failureOf(thrown)
}
