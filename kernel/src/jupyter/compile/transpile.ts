import ts from 'typescript'
import type { CellPlace } from './compilation.ts'
import { parseMappings, type LineMap } from './line-map.ts'

/** The options for all TypeScript of a notebook. */
export const baseOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.Preserve,
  moduleDetection: ts.ModuleDetectionKind.Force,
  isolatedModules: true,
  sourceMap: true,
}

/** Thrown when a text has a syntax error. */
export class SyntaxProblem extends Error {
  /** 1-based. */
  readonly line: number
  readonly column: number

  constructor(message: string, { line, column }: CellPlace) {
    super(message)
    this.line = line
    this.column = column
  }
}

/** Describe a syntax error that TypeScript has found. */
function problemOf({ file, start = 0, messageText, code }: ts.Diagnostic): SyntaxProblem {
  const place =
    file === undefined ? { line: 0, character: 0 } : ts.getLineAndCharacterOfPosition(file, start)
  return new SyntaxProblem(`${ts.flattenDiagnosticMessageText(messageText, '\n')} (TS${code})`, {
    line: place.line + 1,
    column: place.character + 1,
  })
}

/** JavaScript and its line map. */
export interface Transpiled {
  readonly js: string
  readonly map: LineMap
}

/**
 * Compile TypeScript to JavaScript without checking types.
 *
 * @throws {@link SyntaxProblem}
 */
export function transpile(source: string, transpileOptions: ts.TranspileOptions): Transpiled {
  const made = ts.transpileModule(source, { ...transpileOptions, reportDiagnostics: true })
  const [error] = made.diagnostics ?? []
  // A line follows the cell in its module, so the check of the module misses some unterminated constructs. Here the cell has no line after it.
  if (error !== undefined) throw problemOf(error)
  const map: unknown = JSON.parse(made.sourceMapText ?? '{}')
  const mappings = typeof map === 'object' && map !== null && 'mappings' in map ? map.mappings : ''
  return {
    js: made.outputText.replace(/\/\/# sourceMappingURL=.*\s*$/u, ''),
    map: parseMappings(typeof mappings === 'string' ? mappings : ''),
  }
}
