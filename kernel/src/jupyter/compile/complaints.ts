import ts from 'typescript'
import type { CellFiles } from './cell-files.ts'
import type { Complaint } from './compilation.ts'
import type { Names } from './names.ts'
import { nodeAt } from './nodes.ts'

/** What the wording of complaints needs. */
export interface ComplaintOptions {
  readonly folder: string
  readonly cells: CellFiles
  readonly names: Names
  readonly program: ts.Program
  /** What people call the cell in that slot, like `cell 3`. */
  labelOf(slot: number): string
}

/** Codes of TypeScript's messages. Source: TypeScript, diagnosticMessages.json. */
export const codes = {
  /** "Could not find a declaration file for module": a package without types is no mistake of the cell's. */
  untyped: 7016,
  missingModule: 2307,
  missingModuleInMode: 2792,
  missingName: 2304,
  missingNameWithSuggestion: 2552,
  /** The name is one that a package gives: of Node, of jQuery, of a test runner, of Bun; with and without a word of settings. */
  packageName: [2580, 2581, 2582, 2591, 2592, 2593, 2867, 2868],
  browserName: 2584,
  importAssigned: 2632,
  constantAssigned: 2588,
  functionAssigned: 2630,
  unknownUsed: 18046,
  /** "implicitly has type 'any[]' in some locations", and the use that it speaks of. */
  evolving: 7034,
  evolvingUse: 7005,
  /** "An export assignment cannot be used in a module with other exported elements." */
  exportAssigned: 2309,
  /** "Unable to resolve signature of class decorator", and of others; "Decorators are not valid here." */
  decorators: [1206, 1238, 1239, 1240, 1241, 1270],
} satisfies Readonly<Record<string, number | readonly number[]>>

/** TypeScript's advice to change a setting, which cells do not have. */
const settingsAdvice =
  / Do you need to (?:change your target library|install type definitions for [^?]*)\? Try [^\n]*/gu

/** A diagnostic that stands in a file. */
export type PlacedDiagnostic = ts.Diagnostic & { file: ts.SourceFile }

/** Put what TypeScript says about a cell into words that name cells, not files. */
export function complaintOf(
  diagnostic: PlacedDiagnostic,
  { folder, cells, names, program, labelOf }: ComplaintOptions,
): Complaint {
  const { file, start = 0, code } = diagnostic
  const slot = cells.slotOf(file.fileName)
  const place = ts.getLineAndCharacterOfPosition(file, start)
  const steps = ts
    .flattenDiagnosticMessageText(diagnostic.messageText, '\n')
    .replace(settingsAdvice, '')
  const name = /'([^']+)'/u.exec(steps)?.[1] ?? ''
  const [what = '', ...why] = nameCells(steps, cells, labelOf).split('\n')
  const lines = [[`${what} (TS${code})`, ...why].join('\n')]
  const isBrought =
    (code === codes.constantAssigned || code === codes.functionAssigned) &&
    slot !== null &&
    isBroughtAt(diagnostic, program)
  if (code === codes.importAssigned || isBrought) {
    const home = names.maybe(name)?.value
    const owner = home == null ? 'an earlier cell' : labelOf(home.slot)
    lines[0] = `Cannot assign to '${name}' because it is a constant of ${owner}. (TS${codes.constantAssigned})`
  }
  if (code === codes.evolving) lines.push(`Write its type, like this: const ${name}: number[] = []`)
  if (code === codes.unknownUsed && isCaught(name, diagnostic))
    lines.push(
      `Anything can be thrown. Write \`(${name} as Error).message\`, or \`if (${name} instanceof Error)\` before it`,
    )
  if (code === codes.browserName) lines.push('Cells run in Node, not in a browser.')
  const lost = names.maybeLost(name)
  const missing = [codes.missingName, codes.missingNameWithSuggestion, ...codes.packageName]
  if (lost !== null && missing.includes(code)) lines.push(lost)
  if (codes.decorators.includes(code) && !program.getCompilerOptions().experimentalDecorators)
    lines.push(
      'Decorators are those of the standard. For those of before TypeScript 5, set "experimentalDecorators": true in the compilerOptions of a tsconfig.json beside the notebook, and restart the kernel.',
    )
  if (code === codes.missingModule && /^[^./]/u.test(name) && !name.startsWith('node:'))
    lines.push(`Is it installed? npm install ${packageOf(name)}`)
  return {
    file: slot === null ? relativeTo(folder, file.fileName) : null,
    // The kernel has added the first line of a cell's module.
    line: place.line + (slot === null ? 1 : 0),
    column: place.character + 1,
    message: lines.join('\n  '),
  }
}

/** Replace the names that modules of cells have for TypeScript. */
export function nameCells(
  text: string,
  cells: CellFiles,
  labelOf: (slot: number) => string,
): string {
  return text
    .replace(
      /(?:typeof )?import\("([^"]*)"\)(\.)?/gu,
      (found, path: string, dot: string | undefined) => {
        const slot = cells.slotOf(`${path}.ts`)
        if (slot === null) return found
        return dot === undefined ? labelOf(slot) : `${labelOf(slot)}'s `
      },
    )
    .replace(/__cell(\d+)__\.?/gu, '')
}

/** Whether the name at the place of a diagnostic is one that the kernel has brought into a cell, in the first line of its module. */
function isBroughtAt({ file, start = 0 }: PlacedDiagnostic, program: ts.Program): boolean {
  const symbol = program.getTypeChecker().getSymbolAtLocation(nodeAt(file, start))
  const declaration = symbol?.valueDeclaration
  return declaration?.getSourceFile() === file && declaration.pos < file.text.indexOf('\n')
}

/** Whether the name at the place of a diagnostic is what a `catch` around it has caught. */
function isCaught(name: string, { file, start = 0 }: PlacedDiagnostic): boolean {
  for (let node = nodeAt(file, start); !ts.isSourceFile(node); node = node.parent) {
    const { parent } = node
    if (!ts.isCatchClause(parent) || node !== parent.block) continue
    if (parent.variableDeclaration?.name.getText() === name) return true
  }
  return false
}

function relativeTo(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
