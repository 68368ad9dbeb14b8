import ts from 'typescript'
import type { CellFiles } from './cell-files.ts'
import type { Complaint } from './compilation.ts'
import { adviceForGlobal, adviceForLine, adviceForName } from './foreign-words.ts'
import { adviceForQuestion } from './middle-question.ts'
import { adviceForModule } from './missing-module.ts'
import type { Names } from './names.ts'
import { nodeAt } from './nodes.ts'
import { adviceForObject } from './unmeant-blocks.ts'

/** What {@link complaintOf} needs to know. */
export interface ComplaintOptions {
  readonly folder: string
  readonly cells: CellFiles
  readonly names: Names
  readonly program: ts.Program
  /** Return the name of the cell in a slot for users, such as `cell 3`. */
  labelOf(slot: number): string
}

/** TypeScript's diagnostic codes. Source: TypeScript, diagnosticMessages.json. */
export const codes = {
  /** "Could not find a declaration file for module". A package without types is not an error of the cell. */
  untyped: 7016,
  missingModule: 2307,
  missingModuleInMode: 2792,
  missingName: 2304,
  missingNameWithSuggestion: 2552,
  /** The name belongs to a package: Node's types, jQuery, a test runner or Bun. Some of these messages also mention settings. */
  packageName: [2580, 2581, 2582, 2591, 2592, 2593, 2867, 2868],
  browserName: 2584,
  importAssigned: 2632,
  constantAssigned: 2588,
  functionAssigned: 2630,
  unknownUsed: 18046,
  /** "Identifier expected.", "'=' expected." and the like, "Invalid character." and "Unexpected keyword or identifier." */
  syntax: [1003, 1005, 1127, 1434],
  /** "':' expected." and the like, "Expression expected." and "Declaration or statement expected." */
  expected: [1005, 1109, 1128],
  /** "Did you forget to use 'await'?", which TypeScript adds to other messages. */
  awaitForgotten: 2773,
  /** "implicitly has type 'any[]' in some locations", and the message at such a location. */
  evolving: 7034,
  evolvingUse: 7005,
  /** "Parameter 'x' implicitly has an 'any' type." */
  untypedParameter: 7006,
  /** "Element implicitly has an 'any' type because type 'typeof globalThis' has no index signature." */
  untypedGlobal: 7017,
  /** "An export assignment cannot be used in a module with other exported elements." */
  exportAssigned: 2309,
  /** "Unable to resolve signature of class decorator", the same for other decorators, and "Decorators are not valid here." */
  decorators: [1206, 1238, 1239, 1240, 1241, 1270],
} satisfies Readonly<Record<string, number | readonly number[]>>

/** TypeScript's advice to change a compiler option, which cells cannot do. */
const settingsAdvice =
  / Do you need to (?:change your target library|install type definitions for [^?]*)\? Try [^\n]*/gu

/** A diagnostic with a file. */
export type PlacedDiagnostic = ts.Diagnostic & { file: ts.SourceFile }

/** Describe a diagnostic for the user. The description names cells, not files. */
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
  if (code === codes.untypedParameter)
    lines.push(`Write its type after its name, like this: (${name}: number)`)
  if (code === codes.unknownUsed)
    lines.push(
      isCaught(name, diagnostic)
        ? `Anything can be thrown. Write \`(${name} as Error).message\`, or \`if (${name} instanceof Error)\` before it`
        : `Say what it is where it gets its value, like this: (await response.json()) as { rows: number[] }`,
    )
  if (code === codes.browserName) lines.push('Cells run in Node, not in a browser.')
  const lost = names.maybeLost(name)
  const missing = [codes.missingName, codes.missingNameWithSuggestion, ...codes.packageName]
  const line = lineOf(file, place.line)
  if (missing.includes(code))
    lines.push(...maybeList(lost), ...maybeList(adviceForName(name, line)))
  if (isAwaitForgotten(diagnostic, what))
    lines.push('It is a promise. Write `await` before it to wait for its value.')
  const isFollowing = steps.startsWith("';'") || steps.startsWith("')'")
  if (codes.syntax.includes(code) && !isFollowing) lines.push(...maybeList(adviceForLine(line)))
  if (codes.expected.includes(code))
    lines.push(...maybeList(adviceForQuestion(file, start) ?? adviceForObject(file, start)))
  if (codes.decorators.includes(code) && !program.getCompilerOptions().experimentalDecorators)
    lines.push(
      'Decorators are those of the standard. For those of before TypeScript 5, set "experimentalDecorators": true in the compilerOptions of a tsconfig.json beside the notebook, and restart the kernel.',
    )
  if (code === codes.missingModule) lines.push(...maybeList(adviceForModule(name)))
  if (code === codes.untypedGlobal) lines.push(...maybeList(adviceForGlobal(line)))
  return {
    file: slot === null ? relativeTo(folder, file.fileName) : null,
    // The kernel has added the first line of a cell's module, so zero-based lines of the module are 1-based lines of the cell.
    line: place.line + (slot === null ? 1 : 0),
    column: place.character + 1,
    message: lines.join('\n  '),
  }
}

/** Replace TypeScript's names of cell modules by the names that users know. */
export function nameCells(
  text: string,
  cells: CellFiles,
  labelOf: (slot: number) => string,
): string {
  return text
    .replace(
      /(?:typeof )?import\("([^"]*)"\)(\.)?/gu,
      (found, path: string, dot: string | undefined) => {
        const slot = cells.slotOfModule(path)
        if (slot === null) return found
        return dot === undefined ? labelOf(slot) : `${labelOf(slot)}'s `
      },
    )
    .replace(/__(?:cell|old)\d+__\.?/gu, '')
}

/** A message about a promise for which TypeScript does not ask whether `await` was forgotten, such as one that is indexed or taken apart. */
const promiseMessage =
  /^(?:Type 'Promise<.*>' is not assignable to type '(?!Promise)|Argument of type 'Promise<.*>' is not assignable to parameter of type '(?!Promise)|Property .* does not exist on type 'Promise<|Element implicitly .* index type 'Promise<|Type .* is not comparable to type 'Promise<)/u

function isAwaitForgotten(
  { code, relatedInformation = [] }: PlacedDiagnostic,
  message: string,
): boolean {
  return (
    code === codes.awaitForgotten ||
    relatedInformation.some((each) => each.code === codes.awaitForgotten) ||
    promiseMessage.test(message)
  )
}

/** Tell whether the name at a diagnostic comes from the first line of a cell's module, in which the kernel imports names. */
function isBroughtAt({ file, start = 0 }: PlacedDiagnostic, program: ts.Program): boolean {
  const symbol = program.getTypeChecker().getSymbolAtLocation(nodeAt(file, start))
  const declaration = symbol?.valueDeclaration
  return declaration?.getSourceFile() === file && declaration.pos < file.text.indexOf('\n')
}

/** Tell whether the name at a diagnostic is the variable of an enclosing `catch`. */
function isCaught(name: string, { file, start = 0 }: PlacedDiagnostic): boolean {
  for (let node = nodeAt(file, start); !ts.isSourceFile(node); node = node.parent) {
    const { parent } = node
    if (!ts.isCatchClause(parent) || node !== parent.block) continue
    if (parent.variableDeclaration?.name.getText() === name) return true
  }
  return false
}

function maybeList(text: string | null): string[] {
  return text === null ? [] : [text]
}

/** Return the text of a line, zero-based. */
function lineOf(file: ts.SourceFile, line: number): string {
  const start = ts.getPositionOfLineAndCharacter(file, line, 0)
  return file.text.slice(start).split('\n', 1)[0] ?? ''
}

function relativeTo(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path
}
