import ts from 'typescript'
import { cellNamespace } from './cell-files.ts'
import { readCell } from './cell-text.ts'
import type { CellProgram } from './cell-program.ts'
import { nameCells } from './complaints.ts'
import type { Completeness, Completion } from './compilation.ts'
import { documentationOf, type Documentation } from './documentation.ts'
import { proposeLent } from './lent-packages.ts'
import { nodeAt } from './nodes.ts'

/** The most proposals of one completion. More would slow down the page. */
const maxMatches = 500

/** Complete an unfinished cell at an offset. Proposals that begin with the word at the offset come before those that contain it. */
export function completeAt(cells: CellProgram, code: string, offset: number): Completion {
  const { path, before: shift } = cells.draft(readCell(code, offset))
  const found = cells.service.getCompletionsAtPosition(path, offset + shift, {
    includeCompletionsForModuleExports: false,
    includeCompletionsWithInsertText: false,
  })
  // Names of modules have more than words in them. Each proposal has the span of its part of the path.
  const span = found?.optionalReplacementSpan ?? found?.entries[0]?.replacementSpan
  const lent = proposeLent(code.slice(0, offset))
  const before = lent?.written ?? /[\p{ID_Continue}$#]*$/u.exec(code.slice(0, offset))?.[0] ?? ''
  const after = /^[\p{ID_Continue}$]*/u.exec(code.slice(offset))?.[0] ?? ''
  const start = span === undefined ? offset - before.length : span.start - shift
  const end = span === undefined ? offset + after.length : span.start + span.length - shift
  const word = code.slice(Math.max(0, start), offset)
  const matches = (found?.entries ?? [])
    .flatMap((entry) => {
      const rank = rankOf(entry.name, word)
      // Users do not see the modules of cells.
      const isHidden = cellNamespace.test(entry.name) || cells.files.isSpecifier(entry.name)
      return rank === null || isHidden ? [] : [{ entry, rank }]
    })
    .toSorted((a, b) => a.rank - b.rank || compare(a.entry.sortText, b.entry.sortText))
    .slice(0, maxMatches)
    .map(({ entry }) => ({ text: entry.name, type: entry.kind }))
  const names = new Set(matches.map(({ text }) => text))
  const others = (lent?.parts ?? []).filter((part) => !names.has(part))
  return {
    start: Math.max(0, start),
    end,
    matches: [...matches, ...others.map((text) => ({ text, type: 'external module name' }))],
  }
}

function rankOf(name: string, word: string): number | null {
  if (name.startsWith(word)) return 0
  const lower = name.toLowerCase()
  const wanted = word.toLowerCase()
  return lower.startsWith(wanted) ? 1 : lower.includes(wanted) ? 2 : null
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Describe what is at an offset, as Markdown; inside the arguments of a call, the call's parameters. Null when nothing is known. */
export function inspectAt(cells: CellProgram, code: string, offset: number): string | null {
  const { path, before } = cells.draft(readCell(code, offset))
  const at = offset + before
  const written = code.slice(0, offset)
  // Where an argument begins, describe the call.
  const isArgument = /[(,]\s*$/u.test(written)
  const found =
    (isArgument ? callAt(cells, path, at) : null) ??
    wordAt(cells, path, at) ??
    // When the cursor is just after a name, describe that name.
    (/[\p{ID_Continue}$]$/u.test(written) ? wordAt(cells, path, at - 1) : null) ??
    callAt(cells, path, at)
  return found === null ? null : nameCells(found, cells.files, (slot) => cells.labelOf(slot))
}

function wordAt(cells: CellProgram, path: string, at: number): string | null {
  const found = explainAt(cells, path, at)
  return found === null ? null : joined(fenced(found.signature), markdownOf(found.documentation))
}

/** TypeScript's signature of a name, and its documentation. */
interface Explanation {
  readonly signature: string
  readonly documentation: Documentation
}

function explainAt(cells: CellProgram, path: string, at: number): Explanation | null {
  const info = cells.service.getQuickInfoAtPosition(path, at)
  if (info === undefined) return null
  const { program } = cells
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(path)
  const node = file === undefined ? undefined : nodeAt(file, info.textSpan.start)
  const symbol = node === undefined ? undefined : checker.getSymbolAtLocation(node)
  const shown = textOf(info.displayParts)
  // TypeScript gives `any` for a name that is not declared.
  if (symbol === undefined && shown === 'any') return null
  const expected = node === undefined ? undefined : expectedProperty(checker, node)
  const origin = expected ?? (symbol === undefined ? undefined : originOf(checker, symbol))
  // Leave out that the name is imported from a module or another cell.
  const signature = shown.replace(/^\(alias\) /u, '').replace(/\nimport [^\n]*$/u, '')
  return { signature, documentation: documentationOf(origin) }
}

/** Write the documentation of a function and its parameters as Markdown. The parameter `current` is emphasized. */
function markdownOf({ text, parameters }: Documentation, current?: string): string {
  const lines = [...parameters].map(([name, what]) => {
    const shown = name === current ? `**\`${name}\`**` : `\`${name}\``
    return what === '' ? `- ${shown}` : `- ${shown}: ${what}`
  })
  return joined(text, lines.join('\n'))
}

/** Return the property of the expected type if a node is the name of a property in an object literal. The comment is there. */
function expectedProperty(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const { parent } = node
  const isName =
    (ts.isPropertyAssignment(parent) || ts.isShorthandPropertyAssignment(parent)) &&
    parent.name === node
  if (!isName || !ts.isObjectLiteralExpression(parent.parent) || !ts.isIdentifier(node))
    return undefined
  return checker.getContextualType(parent.parent)?.getProperty(node.text)
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n')
}

/** Describe the call whose arguments are at an offset: its signature, its documentation and the current argument. */
function callAt(cells: CellProgram, path: string, at: number): string | null {
  const help = cells.service.getSignatureHelpItems(path, at, undefined)
  const item = help?.items[help.selectedItemIndex]
  if (help === undefined || item === undefined) return null
  const separator = textOf(item.separatorDisplayParts)
  const parameters = item.parameters.map(({ displayParts }) => textOf(displayParts)).join(separator)
  const head = `${textOf(item.prefixDisplayParts)}${parameters}${textOf(item.suffixDisplayParts)}`
  const callee = explainAt(cells, path, Math.max(0, help.applicableSpan.start - 2))
  if (callee === null) return fenced(head)
  const last = item.parameters.at(-1)
  const current = item.parameters[help.argumentIndex] ?? (item.isVariadic ? last : undefined)
  return joined(fenced(head), markdownOf(callee.documentation, current?.name))
}

/** Follow a symbol to its declaration in another module or an earlier cell. */
function originOf(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  if ((symbol.flags & ts.SymbolFlags.Alias) !== 0) return checker.getAliasedSymbol(symbol)
  const name = nameInCell(symbol.valueDeclaration)
  const origin = name === null ? undefined : checker.getSymbolAtLocation(name)
  return origin === undefined ? symbol : originOf(checker, origin)
}

/** Return the `x` of `declare let x: typeof __cell1__.x` and of `const x = __cell1__.x`; null for other declarations. */
function nameInCell(declaration: ts.Declaration | undefined): ts.MemberName | null {
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return null
  const { type, initializer } = declaration
  const isOfCell = (place: ts.Node): boolean =>
    ts.isIdentifier(place) && cellNamespace.test(place.text)
  if (initializer !== undefined && ts.isPropertyAccessExpression(initializer))
    return isOfCell(initializer.expression) ? initializer.name : null
  if (type === undefined || !ts.isTypeQueryNode(type) || !ts.isQualifiedName(type.exprName))
    return null
  return isOfCell(type.exprName.left) ? type.exprName.right : null
}

function fenced(text: string): string {
  return `\`\`\`typescript\n${text}\n\`\`\``
}

function textOf(parts: readonly ts.SymbolDisplayPart[] | undefined): string {
  return ts.displayPartsToString(parts === undefined ? [] : [...parts])
}

/** "'*\/' expected." and "Unterminated template literal." Source: TypeScript, diagnosticMessages.json. */
const unendedCodes = [1010, 1160]
/** "Unterminated string literal.": a string ends on its line. */
const brokenCode = 1002

function parseAlone(code: string): readonly ts.Diagnostic[] {
  const compilerOptions = {
    module: ts.ModuleKind.Preserve,
    moduleDetection: ts.ModuleDetectionKind.Force,
  }
  return ts.transpileModule(code, { reportDiagnostics: true, compilerOptions }).diagnostics ?? []
}

/** Tell whether a cell can run as it is or needs more lines. */
export function isComplete(code: string): Completeness {
  const found = parseAlone(code)
  if (found.length === 0) return { status: 'complete' }
  const end = code.trimEnd().length
  const isUnended = found.some(({ code: of }) => unendedCodes.includes(of))
  // Only the first error counts: later ones may be its consequences.
  if (found[0]?.code === brokenCode) return { status: 'invalid' }
  if (isUnended || (found[0]?.start ?? 0) >= end)
    return { status: 'incomplete', indent: indentOf(code) }
  return { status: 'invalid' }
}

/** Return the indentation of the next line: that of the last line, and one more level after an opening bracket. */
function indentOf(code: string): string {
  const last = code.trimEnd().split('\n').at(-1) ?? ''
  const own = /^\s*/u.exec(last)?.[0] ?? ''
  return /[{([]$/u.test(last) ? `${own}  ` : own
}
