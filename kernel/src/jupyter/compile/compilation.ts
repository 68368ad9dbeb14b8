import type { LineMap } from './line-map.ts'

/** What a cell imports: which module, and which variables it fills. */
export interface CellImport {
  readonly from: string
  readonly attributes: Readonly<Record<string, string>> | null
  /** Pairs of an exported name and the variable that shows it; the exported name `*` is the whole module. */
  readonly names: readonly (readonly [exported: string, variable: string])[]
  /** Where the import stands in the cell, 1-based. */
  readonly place: { readonly line: number; readonly column: number }
}

/** One of the notebook's own TypeScript files, as an ES module. */
export interface CompiledFile {
  readonly path: string
  readonly code: string
  readonly lineMap: LineMap
}

/** Such a file as it goes along with a cell. */
export interface SentFile extends CompiledFile {
  /** The stamp that it had before its text was read: it may have changed since. */
  readonly stamp: string
}

/** A cell as JavaScript, ready to run. */
export interface CompiledCell {
  /** An expression that gives a function. Its parameters: the helper, what CommonJS gives a module, and the boxes of the variables that the cell uses. */
  readonly code: string
  /** The helper's name in that function. A box's name there is this and the variable's. */
  readonly prefix: string
  /** The variables whose boxes the function takes, in its order. */
  readonly boxes: readonly string[]
  readonly imports: readonly CellImport[]
  readonly lineMap: LineMap
  /** The files that the cell imports, directly or not, and that have changed since they were last sent. */
  readonly files: readonly SentFile[]
}

/** Something TypeScript has to say about a cell; line and column are 1-based. */
export interface Complaint {
  /** The file it is in; null for the cell itself. */
  readonly file: string | null
  readonly line: number
  readonly column: number
  /** What is wrong, with TypeScript's code; what explains it stands indented in lines below. */
  readonly message: string
}

/** Either a cell that may run or what is wrong with it. */
export type Compilation =
  | { readonly ok: true; readonly cell: CompiledCell }
  | { readonly ok: false; readonly complaints: readonly Complaint[] }

/** What to compile. */
export interface CellSource {
  /** Number of the request that brought the cell. */
  readonly number: number
  /** The cell's name in messages and stacks, like `cell-3.ts`. */
  readonly name: string
  readonly code: string
}

/** What completion found; cursor positions are UTF-16 offsets. */
export interface Completion {
  readonly start: number
  readonly end: number
  readonly matches: readonly CompletionMatch[]
}

/** One proposal of a completion. */
export interface CompletionMatch {
  readonly text: string
  /** TypeScript's word for what it is: `function`, `property`, … */
  readonly type: string
}

/** Whether a cell can run as it is, needs more lines, or has an error that more lines do not mend. */
export type Completeness =
  | { readonly status: 'complete' | 'invalid' }
  | { readonly status: 'incomplete'; readonly indent: string }

/** What the thread that compiles can be asked. Each method is answered in the order of the questions. */
export interface CompilerMethods {
  /** Check a cell and make JavaScript of it. */
  compile(source: CellSource): Compilation
  /**
   * Make known to later cells what a compiled cell declared, as far as it ran: `reached` is the number of its declaring statements that ended.
   * Returns a sentence for each earlier cell that no longer fits. A cell that ran before, with an earlier thread, is a replay: nothing is said of it.
   */
  accept(number: number, reached: number, isReplay?: boolean): readonly string[]
  /** The numbers of the accepted cells that a new thread has to compile again: those that later cells still need, and those that these were compiled with. */
  needed(): readonly number[]
  /** Forget a compiled cell that will not run. */
  abandon(number: number): void
  /** Forget what all cells declared: the process that held their values is gone. */
  reset(): void
  complete(code: string, offset: number): Completion
  /** What is at the offset, as Markdown; null when there is nothing to say. */
  inspect(code: string, offset: number): string | null
  isComplete(code: string): Completeness
}
