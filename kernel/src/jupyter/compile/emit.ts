import type ts from 'typescript'
import type { CellText } from './cell-text.ts'
import type { CellImport, CellPlace, CompiledCell } from './compilation.ts'
import { applyEdits, moveColumns } from './edits.ts'
import { findSource, type LineMap } from './line-map.ts'
import type { FolderSettings } from './folder-settings.ts'
import {
  linesBefore,
  ParseError,
  rewriteCell,
  type RewriteOptions,
  type Rewritten,
} from './rewrite.ts'
import { baseOptions, SyntaxProblem, transpile, type Transpiled } from './transpile.ts'
import { createMarks, markUsing, unmarkUsing } from './using-marks.ts'

/** Options of {@link emitCell}. */
export interface EmitOptions {
  readonly settings: FolderSettings
  /** The names of values that earlier cells declare. */
  readonly known: Pick<ReadonlySet<string>, 'has'>
  /** Imported names that are only types. */
  readonly types: ReadonlySet<string>
}

/** A cell compiled to JavaScript, and for each variable: after which of the cell's imports and declarations it has its value. */
export interface EmittedCell {
  readonly cell: Omit<CompiledCell, 'files'>
  readonly reached: ReadonlyMap<string, number>
}

/** Compile a cell that has no errors to JavaScript. */
export function emitCell(text: CellText, { settings, known, types }: EmitOptions): EmittedCell {
  const compilerOptions = {
    ...baseOptions,
    ...settings,
    // Keep imports that this cell does not use, because a later cell may use them.
    verbatimModuleSyntax: true,
  }
  const { js, map } = text.words.has('using')
    ? transpileUsing(text, compilerOptions)
    : transpile(text.withoutExports, { fileName: 'cell.ts', compilerOptions })
  const values = [...text.declared].filter(([, { kind }]) => kind !== 'type' && kind !== 'ambient')
  const rewritten = rewritePlaced(map, js, {
    declared: new Set(values.map(([name]) => name)),
    known,
    types,
    hasResult: text.hasResult,
  })
  const lineMap = moveColumns(map, { text: js, edits: rewritten.edits, linesBefore })
  const imports = rewritten.imports.map(({ start, ...each }): CellImport => {
    return { ...each, place: placeOf(map, js, start) }
  })
  const awaited = rewritten.awaited.map((start) => placeOf(map, js, start))
  const { code, prefix, boxes, reached } = rewritten
  return { cell: { code, prefix, boxes, imports, awaited, lineMap }, reached }
}

/** Rewrite a cell. A syntax error gets its position in the cell. */
function rewritePlaced(map: LineMap, js: string, options: RewriteOptions): Rewritten {
  try {
    return rewriteCell(js, options)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw new SyntaxProblem(error.message, placeOf(map, js, error.offset))
  }
}

/** Compile to JavaScript that keeps `using`. */
function transpileUsing(text: CellText, compilerOptions: ts.CompilerOptions): Transpiled {
  const marks = createMarks(text.words)
  const transformers = { before: [markUsing(marks)] }
  const { js, map } = transpile(text.withoutExports, {
    fileName: 'cell.ts',
    compilerOptions,
    transformers,
  })
  const edits = unmarkUsing(js, marks)
  return { js: applyEdits(js, edits), map: moveColumns(map, { text: js, edits, linesBefore: 0 }) }
}

/** Return the position in the cell of an offset in its JavaScript. */
function placeOf(map: LineMap, js: string, offset: number): CellPlace {
  const lines = js.slice(0, offset).split('\n')
  const found = findSource(map, lines.length - 1, lines.at(-1)?.length ?? 0)
  return { line: (found?.line ?? 0) + 1, column: (found?.column ?? 0) + 1 }
}
