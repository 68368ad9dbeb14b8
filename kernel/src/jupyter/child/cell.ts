import { AsyncLocalStorage } from 'node:async_hooks'
import type { OutputCap } from './output-cap.ts'

/** A cell that runs or ran: what it started may still print. */
export interface Cell {
  readonly number: number
  readonly name: string
  readonly cap: OutputCap
  readonly abort: AbortController
  /** Whether a person at the notebook can be asked. */
  readonly canAsk: boolean
}

const scope = new AsyncLocalStorage<Cell>()
let latest: Cell | null = null

/** Run a cell's code; whatever it starts, however late it prints, belongs to it. */
export function runInCell<T>(cell: Cell, run: () => T): T {
  latest = cell
  return scope.run(cell, run)
}

/** The cell that the code running now belongs to; the latest when Node cannot tell, null before the first. */
export function currentCell(): Cell | null {
  return scope.getStore() ?? latest
}
