import { runInThisContext } from 'node:vm'
import { Boxes } from '../../kernel/src/jupyter/child/box.ts'
import { readCell } from '../../kernel/src/jupyter/compile/cell-text.ts'
import { emitCell } from '../../kernel/src/jupyter/compile/emit.ts'
import { moduleWords } from '../../kernel/src/jupyter/compile/rewrite.ts'

type CellFunction = (...of: unknown[]) => Promise<void>

/** Runs cells like the kernel, in this process and without checking their types. The cells cannot import anything. */
export class UncheckedCells {
  readonly #boxes = new Boxes()
  readonly #known: Set<string>

  /** `known` are names that cells may use before their declaration. */
  constructor(known: readonly string[] = []) {
    this.#known = new Set(known)
  }

  /** Run a cell. Returns the value of its last expression. */
  async run(source: string): Promise<unknown> {
    const { cell, reached } = emitCell(readCell(source), {
      settings: {},
      known: this.#known,
      types: new Set(),
    })
    for (const name of reached.keys()) this.#known.add(name)
    const helper: {
      r?: unknown
      n: number
      at(index: number, value: unknown): unknown
      hold(statement: number, isAsync: boolean, value: unknown): unknown
    } = {
      n: 0,
      at: (_, value) => value,
      hold: (_statement, _isAsync, value) => value,
    }
    const boxes = cell.boxes.map((name) => this.#boxes.of(name))
    await (runInThisContext(cell.code) as CellFunction)(helper, ...moduleWords, ...boxes)
    return helper.r
  }
}
