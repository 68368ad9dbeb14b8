import { isPromise } from 'node:util/types'
import { Script } from 'node:vm'
import { Boxes } from './box.ts'
import { bundleOf } from './bundle.ts'
import { runInCell, type Cell } from './cell.ts'
import { holdDisposable } from './disposable.ts'
import { failureOf, interruptionOf, placeFailure } from './failure.ts'
import { readerOf, type ModuleNamespace, type Modules } from './modules.ts'
import type { Bundle, ExecuteRequest, Failure } from './protocol.ts'
import { watchImport } from './waiting-import.ts'
import type { CellPlace } from '../compile/compilation.ts'

/** How a cell ended. */
export interface Ending {
  readonly failure: Failure | null
  /** The value of its last expression; null when there is none or it is undefined. */
  readonly result: Bundle | null
  /** A sentence about the result for the user; null for none. */
  readonly notice: string | null
  /** How many of its imports and declarations were completed. */
  readonly reached: number
}

/** The first parameter of a cell's function. Through it, the code of the cell reports to this process. */
interface Helper {
  /** The result: the value of the last expression. */
  r: unknown
  /** The number of imports and declarations that are completed. */
  n: number
  /** The index of the statement that runs; -1 for none. */
  s: number
  /** What the code of the cell threw; null when it threw nothing. */
  thrown: { readonly value: unknown } | null
  /** The value that the cell awaited or threw last outside of functions, and its position. */
  last: { readonly place: CellPlace; readonly value: unknown } | null
  /** Note that the cell awaits or throws a value at the position with this index. Returns the value. */
  readonly at: (index: number, value: unknown) => unknown
  /** Return the value that V8 disposes of in the place of the value of `using` or `await using`, in the statement with this index. */
  readonly hold: (statement: number, isAsync: boolean, value: unknown) => unknown
  readonly meta: object
  readonly import: (id: unknown, options?: ImportCallOptions) => Promise<object>
  /** Load an import of the cell by its index. */
  readonly load: (index: number) => Promise<void>
}

type CellFunction = (...of: unknown[]) => Promise<unknown>

/** How long the code of a cell may go on after an interrupt, in milliseconds. */
const graceMs = 300

const promiseNotice = 'The last line is a promise. Write `await` before it to wait for its value.\n'
const listNotice =
  'The last line is a list of promises. Write `await Promise.all(…)` around it to wait for their values.\n'

/** Runs cells one after another. Their variables are in boxes, see {@link Box}. */
export class Executor {
  readonly #modules: Modules
  readonly #boxes = new Boxes()
  #running: { readonly cell: Cell; interrupt(): void; fail(error: unknown): void } | null = null

  readonly #tell: (text: string) => void

  /** `tell` shows the user a notice in the cell that runs. */
  constructor(modules: Modules, tell: (text: string) => void) {
    this.#modules = modules
    this.#tell = tell
  }

  /** Run one cell. Never rejects. */
  async execute(cell: Cell, request: ExecuteRequest): Promise<Ending> {
    const interruption = Promise.withResolvers<never>()
    this.#running = {
      cell,
      interrupt() {
        cell.abort.abort()
        setTimeout(() => interruption.reject(), graceMs)
      },
      fail: interruption.reject,
    }
    const helper = this.#createHelper(request)
    try {
      this.#modules.update(request.files, request.paths)
      const script = new Script(request.code, { filename: request.name })
      const run = async (): Promise<Pick<Ending, 'result' | 'notice'>> => {
        // Leave the stack of the message handler first. A cell that is terminated from outside takes its callers with it.
        await Promise.resolve()
        const boxes = request.boxes.map((name) => this.#boxes.of(name))
        const code = script.runInThisContext() as CellFunction
        await code(helper, ...this.#modules.words, ...boxes).catch((value: unknown) => {
          helper.thrown = { value }
          throw value
        })
        return await takeResult(helper)
      }
      const shown = await runInCell(cell, () => Promise.race([run(), interruption.promise]))
      return { failure: null, ...shown, reached: helper.n }
    } catch (thrown) {
      const failure = cell.abort.signal.aborted
        ? interruptionOf(thrown)
        : await describe(thrown, helper, request)
      return { failure, result: null, notice: null, reached: helper.n }
    } finally {
      this.#running = null
      // The functions of the cell keep the helper alive. Drop its values, so that they do not keep these alive too.
      helper.r = undefined
      helper.last = null
      helper.thrown = null
    }
  }

  /** Tell whether a cell is running. */
  get isRunning(): boolean {
    return this.#running !== null
  }

  /** Interrupt the cell of that number if it is running. */
  interrupt(number: number): void {
    if (this.#running?.cell.number === number) this.#running.interrupt()
  }

  /** End the running cell with an error. */
  fail(error: unknown): void {
    this.#running?.fail(error)
  }

  /** Count characters, which programs of a running cell have printed, towards its limit. */
  charge(number: number, length: number): void {
    if (this.#running?.cell.number === number) this.#running.cell.cap.charge(length)
  }

  /** Import a module in a cell, which says if it waits for that. */
  #import(
    cell: number,
    id: string,
    attributes: Readonly<Record<string, string>> | null,
  ): Promise<ModuleNamespace> {
    return watchImport(this.#modules.import(id, attributes), {
      isNeeded: () => this.#running?.cell.number === cell,
      onWaiting: () =>
        this.#tell(
          `The cell waits for '${id}': an await outside of functions has not ended, there or in a module that it imports. An interrupt ends the cell.`,
        ),
    })
  }

  #createHelper(request: ExecuteRequest): Helper {
    const modules = this.#modules
    const { imports, awaited, statements } = request
    const helper: Helper = {
      r: undefined,
      n: 0,
      s: -1,
      thrown: null,
      last: null,
      at: (index, value) => {
        const place = awaited[index]
        helper.last = place === undefined ? null : { place, value }
        return value
      },
      hold: (index, isAsync, value) =>
        holdDisposable(value, isAsync, (error) => {
          const place = statements[index]
          if (place !== undefined) helper.last = { place, value: error }
        }),
      meta: modules.meta,
      import: (id, options) => this.#import(request.cell, String(id), attributesOf(options)),
      load: async (index) => {
        const found = imports[index]
        if (found === undefined) return
        const { from, attributes, names, place } = found
        try {
          const module = await this.#import(request.cell, from, attributes)
          for (const [exported, variable] of names)
            this.#boxes.show(variable, readerOf(module, exported, from))
        } catch (error) {
          helper.last = { place, value: error }
          throw error
        }
        helper.n = index + 1
      },
    }
    return helper
  }
}

async function takeResult({ r: value }: Helper): Promise<Pick<Ending, 'result' | 'notice'>> {
  if (value === undefined) return { result: null, notice: null }
  return { result: await bundleOf(value), notice: noticeOf(value) }
}

function noticeOf(value: unknown): string | null {
  if (isPromise(value)) return promiseNotice
  return Array.isArray(value) && value.length > 0 && value.every(isPromise) ? listNotice : null
}

function attributesOf(options: ImportCallOptions | undefined): Record<string, string> | null {
  const attributes = options?.with
  return attributes === undefined ? null : { ...attributes }
}

/**
 * Describe what a cell has thrown. Some stacks do not name the cell: that of an error that a library or an earlier cell made later, for example in a timer or
 * when a value is disposed of, and that of a value that is not an error. Then the position where the cell awaited or threw the value is added, or else that of
 * the statement.
 */
async function describe(
  thrown: unknown,
  { last, thrown: own, s: statement }: Helper,
  { name, statements }: ExecuteRequest,
): Promise<Failure> {
  const failure = failureOf(thrown)
  if (failure.text.includes(`${name}:`)) return failure
  const isAwaited =
    last !== null && (last.value === thrown || (await isRejectedWith(last.value, thrown)))
  const isOwn = own !== null && own.value === thrown
  const place = isAwaited ? last.place : isOwn ? statements[statement] : undefined
  return place === undefined
    ? failure
    : placeFailure(failure, `${name}:${place.line}:${place.column}`)
}

async function isRejectedWith(value: unknown, reason: unknown): Promise<boolean> {
  if (!isPromise(value)) return false
  try {
    // Do not wait for the value, which may be pending for ever.
    await Promise.race([value, Promise.resolve()])
    return false
  } catch (thrown) {
    return thrown === reason
  }
}
