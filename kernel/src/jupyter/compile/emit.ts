import type ts from 'typescript'
import type { CellText } from './cell-text.ts'
import type { CellImport, CellPlace, CompiledCell } from './compilation.ts'
import { applyEdits, mapEdits, moveColumns } from './edits.ts'
import { findSource, type LineMap } from './line-map.ts'
import type { FolderSettings } from './folder-settings.ts'
import {
  linesBefore,
  ParseError,
  rewriteCell,
  type RewriteOptions,
  type Rewritten,
} from './rewrite.ts'
import { restoreRanges } from './repeated-rows.ts'
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
  readonly cell: Omit<CompiledCell, 'files' | 'paths'>
  readonly reached: ReadonlyMap<string, number>
}

/** Compile a cell that has no errors to JavaScript. */
export function emitCell(text: CellText, options: EmitOptions): EmittedCell {
  return maybeErased(text, options) ?? emitTranspiled(text, options)
}

/** Compile a cell by erasing its types, which takes a tenth of the time of a compilation by TypeScript. Null when that is not enough. */
function maybeErased(text: CellText, options: EmitOptions): EmittedCell | null {
  const { javaScript } = text
  if (javaScript === null) return null
  try {
    const whole = restoreRanges(javaScript, text.withoutExports, text.repeated)
    const rewritten = rewriteCell(javaScript, { ...rewriteOptionsFor(text, options), whole })
    const lineMap = mapEdits(javaScript, { edits: rewritten.edits, linesBefore })
    return cellOf(rewritten, lineMap, (offset) => placeAt(javaScript, offset))
  } catch (error) {
    // The cell has decorators, or a syntax error that TypeScript describes better.
    if (error instanceof ParseError) return null
    throw error
  }
}

function rewriteOptionsFor(text: CellText, { known, types }: EmitOptions): RewriteOptions {
  const values = [...text.declared].filter(([, { kind }]) => kind !== 'type' && kind !== 'ambient')
  return {
    declared: new Set(values.map(([name]) => name)),
    known,
    types,
    hasResult: text.hasResult,
  }
}

function cellOf(
  { code, prefix, boxes, reached, imports, awaited, statements }: Rewritten,
  lineMap: LineMap,
  placeOf: (offset: number) => CellPlace,
): EmittedCell {
  const placed = imports.map(({ start, ...each }): CellImport => {
    return { ...each, place: placeOf(start) }
  })
  const places = { awaited: awaited.map(placeOf), statements: statements.map(placeOf) }
  const cell = { code, prefix, boxes, imports: placed, ...places, lineMap }
  return { cell, reached }
}

/** Return the position of an offset. */
function placeAt(text: string, offset: number): CellPlace {
  const lines = text.slice(0, offset).split('\n')
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}

function emitTranspiled(text: CellText, options: EmitOptions): EmittedCell {
  const { settings } = options
  const compilerOptions = {
    ...baseOptions,
    ...settings,
    // Keep imports that this cell does not use, because a later cell may use them.
    verbatimModuleSyntax: true,
  }
  const { js, map } = text.words.has('using')
    ? transpileUsing(text, compilerOptions)
    : transpile(text.withoutExports, { fileName: 'cell.ts', compilerOptions })
  const rewritten = rewritePlaced(map, js, rewriteOptionsFor(text, options))
  const lineMap = moveColumns(map, { text: js, edits: rewritten.edits, linesBefore })
  return cellOf(rewritten, lineMap, (offset) => placeOf(map, js, offset))
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
