import type { Failure } from './child/protocol.ts'
import type { Complaint } from './compile/compilation.ts'

/** The content of Jupyter's error messages. */
export interface ErrorContent {
  readonly ename: string
  readonly evalue: string
  readonly traceback: readonly string[]
}

/** The sources of the cells that have run, by their names in stack traces. */
export type CellSources = ReadonlyMap<string, string>

/** Lines that are shown before and after the failed one. */
const context = 2

/** Make Jupyter's error of what a cell has thrown: its name and message, the line of the cell, and the stack. */
export function failureContent(failure: Failure, sources: CellSources): ErrorContent {
  const head = `${failure.name}: ${failure.message}`
  const [, name, line, column] = /(cell-[\w-]+\.ts):(\d+):(\d+)/u.exec(failure.text) ?? []
  const place =
    name === undefined
      ? []
      : excerptOf({ name, line: Number(line), column: Number(column) }, sources)
  const stack = failure.text.startsWith(head) ? failure.text.slice(head.length) : failure.text
  const rest = stack.split('\n').filter((text, index) => index > 0 || text !== '')
  return { ename: failure.name, evalue: failure.message, traceback: [head, ...place, ...rest] }
}

/** Make Jupyter's error of TypeScript's diagnostics for a cell. */
export function complaintsContent(
  complaints: readonly Complaint[],
  cellName: string,
  sources: CellSources,
): ErrorContent {
  const lines = complaints.map(({ file, line, column, message }) => {
    const name = file ?? cellName
    return {
      place: { name, line, column },
      text: `${name}:${line}:${column} - ${message}`,
    }
  })
  return {
    ename: 'TypeScriptError',
    evalue: lines.map(({ text }) => text).join('\n'),
    traceback: lines.flatMap(({ text, place }) => [
      ...`TypeScriptError: ${text}`.split('\n'),
      ...excerptOf(place, sources),
    ]),
  }
}

function excerptOf(
  place: { readonly name: string; readonly line: number; readonly column: number },
  sources: CellSources,
): string[] {
  const lines = sources.get(place.name)?.split('\n') ?? []
  if (place.line > lines.length) return []
  const first = Math.max(1, place.line - context)
  const shown = lines.slice(first - 1, place.line + context).map((text, index) => {
    const number = first + index
    const arrow = number === place.line ? '---->' : '     '
    return `${arrow} ${String(number).padStart(3)} | ${text}`
  })
  return [`${place.name}, line ${place.line}, column ${place.column}:`, ...shown]
}
