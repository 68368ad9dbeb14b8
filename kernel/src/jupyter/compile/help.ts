import ts from 'typescript'
import { namespaceOf } from './cell-files.ts'
import { readCell } from './cell-text.ts'
import type { CellProgram } from './cell-program.ts'
import { nameCells } from './complaints.ts'
import type { Completeness, Completion } from './compilation.ts'

/** Proposals of one completion: more would only slow the page. */
const maxMatches = 500
const machinery = new RegExp(`^${namespaceOf(0).replace('0', '\\d+')}$`, 'u')

/** Complete an unfinished cell at an offset. What begins with the word that stands there comes first, then what contains it. */
export function completeAt(cells: CellProgram, code: string, offset: number): Completion {
  const { path, before: shift } = cells.draft(readCell(code))
  const found = cells.service.getCompletionsAtPosition(path, offset + shift, {
    includeCompletionsForModuleExports: false,
    includeCompletionsWithInsertText: false,
  })
  const span = found?.optionalReplacementSpan
  const before = /[\p{ID_Continue}$#]*$/u.exec(code.slice(0, offset))?.[0] ?? ''
  const after = /^[\p{ID_Continue}$]*/u.exec(code.slice(offset))?.[0] ?? ''
  const start = span === undefined ? offset - before.length : span.start - shift
  const end = span === undefined ? offset + after.length : span.start + span.length - shift
  const word = code.slice(Math.max(0, start), offset)
  const matches = (found?.entries ?? [])
    .flatMap((entry) => {
      const rank = rankOf(entry.name, word)
      return rank === null || machinery.test(entry.name) ? [] : [{ entry, rank }]
    })
    .toSorted((a, b) => a.rank - b.rank || compare(a.entry.sortText, b.entry.sortText))
    .slice(0, maxMatches)
    .map(({ entry }) => ({ text: entry.name, type: entry.kind }))
  return { start: Math.max(0, start), end, matches }
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

/** Say what is at an offset, in a call's arguments which parameters it takes. Markdown; null when there is nothing to say. */
export function inspectAt(cells: CellProgram, code: string, offset: number): string | null {
  const { path, before } = cells.draft(readCell(code))
  const at = offset + before
  // With the cursor just behind a name, the name is what is meant.
  const info =
    cells.service.getQuickInfoAtPosition(path, at) ??
    (offset > 0 ? cells.service.getQuickInfoAtPosition(path, at - 1) : undefined)
  const parts = info === undefined ? signatureParts(cells, path, at) : infoParts(info)
  if (parts === null) return null
  return nameCells(parts, cells.files, (slot) => cells.labelOf(slot))
}

function infoParts({ displayParts, documentation, tags }: ts.QuickInfo): string {
  return markdownOf(textOf(displayParts), textOf(documentation), tags ?? [])
}

function signatureParts(cells: CellProgram, path: string, at: number): string | null {
  const help = cells.service.getSignatureHelpItems(path, at, undefined)
  const item = help?.items[help.selectedItemIndex]
  if (help === undefined || item === undefined) return null
  const separator = textOf(item.separatorDisplayParts)
  const parameters = item.parameters.map(({ displayParts }) => textOf(displayParts)).join(separator)
  const head = `${textOf(item.prefixDisplayParts)}${parameters}${textOf(item.suffixDisplayParts)}`
  const current = item.parameters[help.argumentIndex]
  const own =
    current === undefined || current.documentation.length === 0
      ? []
      : [`**${current.name}**: ${textOf(current.documentation)}`]
  return [markdownOf(head, textOf(item.documentation), item.tags), ...own].join('\n\n')
}

function markdownOf(
  signature: string,
  documentation: string,
  tags: readonly ts.JSDocTagInfo[],
): string {
  const tagged = tags.map(({ name, text }) => `*@${name}* ${textOf(text)}`.trim())
  return [`\`\`\`typescript\n${signature}\n\`\`\``, documentation, ...tagged]
    .filter((part) => part !== '')
    .join('\n\n')
}

function textOf(parts: readonly ts.SymbolDisplayPart[] | undefined): string {
  return ts.displayPartsToString(parts === undefined ? [] : [...parts])
}

/** "'*\/' expected." and "Unterminated template literal." Source: TypeScript, diagnosticMessages.json. */
const unendedCodes = [1010, 1160]

function parseAlone(code: string): readonly ts.Diagnostic[] {
  const compilerOptions = {
    module: ts.ModuleKind.Preserve,
    moduleDetection: ts.ModuleDetectionKind.Force,
  }
  return ts.transpileModule(code, { reportDiagnostics: true, compilerOptions }).diagnostics ?? []
}

/** Say whether a cell can run as it is, or needs more lines. */
export function isComplete(code: string): Completeness {
  const found = parseAlone(code)
  if (found.length === 0) return { status: 'complete' }
  const end = code.trimEnd().length
  const isUnended = found.some(({ code: of }) => unendedCodes.includes(of))
  // The first error decides: those behind it may only follow from it.
  if (isUnended || (found[0]?.start ?? 0) >= end)
    return { status: 'incomplete', indent: indentOf(code) }
  return { status: 'invalid' }
}

/** The indentation of the line that follows: that of the last line, and one step more behind what opens a block. */
function indentOf(code: string): string {
  const last = code.trimEnd().split('\n').at(-1) ?? ''
  const own = /^\s*/u.exec(last)?.[0] ?? ''
  return /[{([]$/u.test(last) ? `${own}  ` : own
}
