import type { LineMap } from './line-map.ts'
import type { PathSettings } from './path-settings.ts'

/** A position in a cell as it was written, 1-based. */
export interface CellPlace {
  readonly line: number
  readonly column: number
}

/** An import of a cell: a module, and the variables that it fills. */
export interface CellImport {
  readonly from: string
  readonly attributes: Readonly<Record<string, string>> | null
  /** Pairs of an exported name and the variable that shows its value. The exported name `*` is the whole module. */
  readonly names: readonly (readonly [exported: string, variable: string])[]
  readonly place: CellPlace
}

/** One of the notebook's own TypeScript files, compiled to an ES module. */
export interface CompiledFile {
  readonly path: string
  readonly code: string
  readonly lineMap: LineMap
}

/** A compiled file that is sent with a cell. */
export interface SentFile extends CompiledFile {
  /** The stamp of the file before it was read. The file may have changed since. */
  readonly stamp: string
}

/** A cell compiled to JavaScript. */
export interface CompiledCell {
  /**
   * An expression whose value is a function. Its parameters are the helper, the values of {@link moduleWords}, and the boxes of the variables that the cell
   * uses.
   */
  readonly code: string
  /** The helper's name in that function. The name of a box is this, followed by the name of the variable. */
  readonly prefix: string
  /** The variables whose boxes the function takes, in order. */
  readonly boxes: readonly string[]
  readonly imports: readonly CellImport[]
  /** The positions of what the cell awaits or throws outside of functions. */
  readonly awaited: readonly CellPlace[]
  /** The positions of its statements that may throw. */
  readonly statements: readonly CellPlace[]
  readonly lineMap: LineMap
  /** The files that the cell imports, directly or indirectly, and that have changed since they were last sent. */
  readonly files: readonly SentFile[]
  /** The `paths` of the notebook's `tsconfig.json`; null when it has none. */
  readonly paths: PathSettings | null
}

/** A diagnostic of TypeScript, described for the user. Line and column are 1-based. */
export interface Complaint {
  /** The path of its file; null for the cell itself. */
  readonly file: string | null
  readonly line: number
  readonly column: number
  /** What is wrong, with TypeScript's code. Explanations follow in indented lines. */
  readonly message: string
}

/** A compiled cell, or what is wrong with the cell. */
export type Compilation =
  | {
      readonly ok: true
      readonly cell: CompiledCell
      /** What may be a mistake of the cell and does not keep it from running: one sentence each. */
      readonly notices: readonly string[]
    }
  | { readonly ok: false; readonly complaints: readonly Complaint[] }

/** What to compile. */
export interface CellSource {
  /** The number of the request that brought the cell. */
  readonly number: number
  /** The name of the cell in messages and stack traces, such as `cell-3.ts`. */
  readonly name: string
  readonly code: string
}

/** The result of a completion. Positions are UTF-16 offsets. */
export interface Completion {
  readonly start: number
  readonly end: number
  readonly matches: readonly CompletionMatch[]
}

/** One proposal of a completion. */
export interface CompletionMatch {
  readonly text: string
  /** TypeScript's name of its kind: `function`, `property`, … */
  readonly type: string
}

/** Whether a cell can run as it is, needs more lines, or has an error that more lines cannot correct. */
export type Completeness =
  | { readonly status: 'complete' | 'invalid' }
  | { readonly status: 'incomplete'; readonly indent: string }

/** The methods of the compiler thread. It answers them in the order in which they are called. */
export interface CompilerMethods {
  /** Check a cell and compile it to JavaScript. */
  compile(source: CellSource): Compilation
  /**
   * Make the declarations of a compiled cell known to later cells. `reached` is how many of its imports and declarations were completed. Returns a sentence for
   * each earlier cell that is a misfit now (see {@link findMisfits}). `isReplay`: the cell ran before, with an earlier thread; nothing is returned.
   */
  accept(number: number, reached: number, isReplay?: boolean): readonly string[]
  /**
   * Return the numbers of the accepted cells that a new thread would have to compile: those that later cells need, and those whose names these were compiled
   * with.
   */
  needed(): readonly number[]
  /** Remove a compiled cell that will not run. */
  abandon(number: number): void
  /** Remove all cells, because the process that held their values has ended. */
  reset(): void
  complete(code: string, offset: number): Completion
  /** Describe what is at an offset, as Markdown; null when nothing is known. */
  inspect(code: string, offset: number): string | null
  isComplete(code: string): Completeness
}
