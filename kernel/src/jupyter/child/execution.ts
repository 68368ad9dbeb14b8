import { Script } from 'node:vm'
import { bundleOf } from './bundle.ts'
import { runInCell, type Cell } from './cell.ts'
import { failureOf, interruptionOf } from './failure.ts'
import type { Modules } from './modules.ts'
import type { Bundle, ChildRequest, Failure } from './protocol.ts'

/** How a cell ended. */
export interface Ending {
  readonly failure: Failure | null
  /** The value of its last expression, unless it has none or it is undefined. */
  readonly result: Bundle | null
}

/** Before a cell's code, on its first line. */
const prefix = '(async function (exports, require) { '
/** Columns of the first line that are not the cell's. */
export const prefixLength = prefix.length

/** After an interrupt, the time for a cell's code to end by itself, in milliseconds. */
const graceMs = 300

/** Runs cells one after another; their variables are the properties of one object. */
export class Executor {
  readonly #modules: Modules
  readonly #exports = createExports()
  #running: { readonly cell: Cell; interrupt(): void } | null = null

  constructor(modules: Modules) {
    this.#modules = modules
  }

  /** Run one cell to its end. Never rejects. */
  async execute(cell: Cell, request: ChildRequest & { do: 'execute' }): Promise<Ending> {
    const interruption = Promise.withResolvers<never>()
    this.#running = {
      cell,
      interrupt() {
        cell.abort.abort()
        setTimeout(() => interruption.reject(), graceMs)
      },
    }
    try {
      this.#modules.update(request.files)
      const script = new Script(`${prefix}${request.code}\n})`, { filename: request.name })
      const run = async (): Promise<Bundle | null> => {
        // Off the stack of the message that brought it: a cell that is stopped from outside takes down what called it.
        await Promise.resolve()
        const cellFunction = script.runInThisContext() as (...of: unknown[]) => Promise<unknown>
        await cellFunction(this.#exports, this.#modules.require)
        return await this.#takeResult(request.resultName)
      }
      const result = await runInCell(cell, () => Promise.race([run(), interruption.promise]))
      return { failure: null, result }
    } catch (thrown) {
      const failure = cell.abort.signal.aborted ? interruptionOf(thrown) : failureOf(thrown)
      return { failure, result: null }
    } finally {
      this.#running = null
    }
  }

  /** Interrupt the cell of that number, if it is the one that runs. */
  interrupt(number: number): void {
    if (this.#running?.cell.number === number) this.#running.interrupt()
  }

  async #takeResult(name: string | null): Promise<Bundle | null> {
    if (name === null) return null
    const value: unknown = Reflect.get(this.#exports, name)
    Reflect.deleteProperty(this.#exports, name)
    return value === undefined ? null : await bundleOf(value)
  }
}

/** The cells' variables. TypeScript defines imports as getters; here they become plain, so that a later cell may declare the name anew. */
function createExports(): object {
  const values: Record<PropertyKey, unknown> = {}
  return new Proxy(values, {
    defineProperty(_target, name, attributes) {
      if (name === '__esModule') return true
      values[name] =
        attributes.get === undefined ? attributes.value : Reflect.apply(attributes.get, values, [])
      return true
    },
  })
}
