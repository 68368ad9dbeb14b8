import ts from 'typescript'
import type { CellText } from './cell-text.ts'
import type { CellImport, CompiledCell, CompiledFile } from './compilation.ts'
import { applyEdits, moveColumns } from './edits.ts'
import { parseMappings, type LineMap } from './line-map.ts'
import type { FolderSettings } from './folder-settings.ts'
import { linesBefore, rewriteCell } from './rewrite.ts'
import { createMarks, markUsing, unmarkUsing } from './using-marks.ts'

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.Preserve,
  moduleDetection: ts.ModuleDetectionKind.Force,
  isolatedModules: true,
  sourceMap: true,
}

/** The text has a syntax error. */
export class SyntaxProblem extends Error {
  /** 1-based. */
  readonly line: number
  readonly column: number

  constructor({ file, start = 0, messageText, code }: ts.Diagnostic) {
    super(`${ts.flattenDiagnosticMessageText(messageText, '\n')} (TS${code})`)
    const place =
      file === undefined ? { line: 0, character: 0 } : ts.getLineAndCharacterOfPosition(file, start)
    this.line = place.line + 1
    this.column = place.character + 1
  }
}

/** What the emission of a cell has to know beyond its text. */
export interface EmitOptions {
  readonly settings: FolderSettings
  /** Values of earlier cells. */
  readonly known: ReadonlySet<string>
  /** Imported names that are types alone. */
  readonly types: ReadonlySet<string>
}

/** A cell as JavaScript, and after which of its declaring statements each variable has its value. */
export interface EmittedCell {
  readonly cell: Omit<CompiledCell, 'files'>
  readonly reached: ReadonlyMap<string, number>
}

/** Make JavaScript of a cell that is free of errors. */
export function emitCell(text: CellText, { settings, known, types }: EmitOptions): EmittedCell {
  const compilerOptions = {
    ...options,
    ...settings,
    // Imports that this cell does not use are kept: a later cell may use them.
    verbatimModuleSyntax: true,
  }
  const { js, map } = text.words.has('using')
    ? transpileUsing(text, compilerOptions)
    : transpile(text.withoutExports, { fileName: 'cell.ts', compilerOptions })
  const values = [...text.declared].filter(([, { kind }]) => kind !== 'type' && kind !== 'ambient')
  const rewritten = rewriteCell(js, {
    declared: new Set(values.map(([name]) => name)),
    known,
    types,
    hasResult: text.hasResult,
  })
  const lineMap = moveColumns(map, { text: js, edits: rewritten.edits, linesBefore })
  const imports = rewritten.imports.map(({ start, ...each }): CellImport => {
    return { ...each, place: placeOf(map, js, start) }
  })
  const { code, prefix, boxes, reached } = rewritten
  return { cell: { code, prefix, boxes, imports, lineMap }, reached }
}

/** Make an ES module of one of the notebook's own TypeScript files. */
export function emitFile(path: string, source: string, settings: FolderSettings): CompiledFile {
  const compilerOptions = {
    ...options,
    ...settings,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: false,
    jsx: ts.JsxEmit.React,
  }
  const { js, map } = transpile(source, { fileName: path, compilerOptions })
  return { path, code: js, lineMap: map }
}

/** JavaScript, and where its lines come from. */
interface Transpiled {
  readonly js: string
  readonly map: LineMap
}

/** Make JavaScript that keeps `using`. */
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

function transpile(source: string, transpileOptions: ts.TranspileOptions): Transpiled {
  const made = ts.transpileModule(source, { ...transpileOptions, reportDiagnostics: true })
  const [error] = made.diagnostics ?? []
  // The check of a cell's module does not find every missing end, because a line follows the cell there. Here the cell stands alone.
  if (error !== undefined) throw new SyntaxProblem(error)
  const map: unknown = JSON.parse(made.sourceMapText ?? '{}')
  const mappings = typeof map === 'object' && map !== null && 'mappings' in map ? map.mappings : ''
  return {
    js: made.outputText.replace(/\/\/# sourceMappingURL=.*\s*$/u, ''),
    map: parseMappings(typeof mappings === 'string' ? mappings : ''),
  }
}

function placeOf(map: LineMap, js: string, start: number): { line: number; column: number } {
  const line = js.slice(0, start).split('\n').length
  const [first] = map[line - 1] ?? []
  if (first === undefined) return { line: 1, column: 1 }
  return { line: first.sourceLine + 1, column: first.sourceColumn + 1 }
}
