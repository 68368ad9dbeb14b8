import { AsyncLocalStorage } from 'node:async_hooks'
import type { OutputCap } from './output-cap.ts'

/** A cell that runs or has run. Work that it has started may still print. */
export interface Cell {
  readonly number: number
  readonly name: string
  readonly cap: OutputCap
  readonly abort: AbortController
  /** Whether a user at the notebook can be asked for input. */
  readonly canAsk: boolean
}

const scope = new AsyncLocalStorage<Cell>()
let latest: Cell | null = null

/** Run the code of a cell. Everything that it starts belongs to the cell, also when it prints later. */
export function runInCell<T>(cell: Cell, run: () => T): T {
  latest = cell
  return scope.run(cell, run)
}

/** Return the cell that the current code belongs to: the latest cell when Node cannot tell, null before the first one. */
export function currentCell(): Cell | null {
  return scope.getStore() ?? latest
}
