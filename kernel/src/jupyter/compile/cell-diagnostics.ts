import ts from 'typescript'
import { findAbsentNames } from './absent-names.ts'
import type { CellText } from './cell-text.ts'
import { codes, type PlacedDiagnostic } from './complaints.ts'
import { findForgottenAwaits } from './forgotten-awaits.ts'

/** A cell, and the notebook's own files that it imports. */
export interface CheckedCell {
  /** Null when the file is not a cell. */
  readonly text: CellText | null
  readonly ownImports: readonly string[]
}

/** Return TypeScript's diagnostics for the module of a cell and for the notebook's own files that it imports. */
export function findDiagnostics(
  program: ts.Program,
  file: ts.SourceFile,
  { text, ownImports }: CheckedCell,
): readonly PlacedDiagnostic[] {
  const syntactic = program.getSyntacticDiagnostics(file)
  const semantic = syntactic.length > 0 ? [] : program.getSemanticDiagnostics(file)
  const found =
    syntactic.length > 0
      ? syntactic
      : [
          ...ownImports.flatMap((each) => checkFile(program, each)),
          ...semantic,
          ...findAbsentNames(program, file, text?.words ?? new Set()),
          ...findForgottenAwaits(program, file).filter(
            (promise) => !semantic.some(({ start }) => start === promise.start),
          ),
        ]
  return withoutAddedLines(found.filter(isPlaced), file).filter((each) => {
    if (each.file !== file) return true
    // `export = x` in a cell evaluates `x` and exports nothing.
    if (each.code === codes.exportAssigned) return false
    // An array that an earlier cell declared as `const rows = []` may contain anything.
    return each.code !== codes.evolvingUse || text?.declared.has(nameIn(each)) !== false
  })
}

function checkFile(program: ts.Program, path: string): readonly ts.Diagnostic[] {
  const file = program.getSourceFile(path)
  if (file === undefined || file.isDeclarationFile || !/\.[cm]?tsx?$/u.test(path)) return []
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
}

function isPlaced(diagnostic: ts.Diagnostic): diagnostic is PlacedDiagnostic {
  return diagnostic.file !== undefined
}

/** Leave out diagnostics for the first and the last line of a cell's module, which the kernel has added. */
function withoutAddedLines(
  found: readonly PlacedDiagnostic[],
  file: ts.SourceFile,
): readonly PlacedDiagnostic[] {
  const first = file.text.indexOf('\n')
  const last = file.text.lastIndexOf('\nexport {')
  const own = found.filter((each) => each.file !== file || isBetween(each.start ?? 0, first, last))
  const uses = new Set(own.filter(({ code }) => code === codes.evolvingUse).map(nameIn))
  // TypeScript reports that the last line exports `const rows = []`, whose type is not known. That is an error only if the cell also uses the array.
  return own.filter((each) => each.code !== codes.evolving || uses.has(nameIn(each)))
}

function isBetween(at: number, first: number, last: number): boolean {
  return at > first && at < last
}

function nameIn(diagnostic: ts.Diagnostic): string {
  return /'([^']+)'/u.exec(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))?.[1] ?? ''
}
