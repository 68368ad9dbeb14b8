import { findSource, type LineMap } from '../compile/line-map.ts'
import { pathOf } from './specifier.ts'

/** JavaScript that was compiled from a cell or from one of the notebook's own files, with what is needed to map its positions back. */
export interface MadeCode {
  readonly lineMap: LineMap
  /** The prefix of names of boxes in it; null when it has no boxes. */
  readonly prefix: string | null
}

/** Compiled code by the name of the cell or the path of the file. */
export type MadeCodes = ReadonlyMap<string, MadeCode>

const position = /(cell-[\w-]+\.ts|file:\/\/[^\s()]+?):(\d+):(\d+)/gu

/** Replace positions in compiled JavaScript by positions in the source. */
export function mapPositions(text: string, codes: MadeCodes): string {
  return text.replace(position, (_, name: string, line: string, column: string) => {
    const path = pathOf(name)
    const code = codes.get(path ?? name)
    const shown = path === null || code === undefined ? withoutVersion(name) : path
    const source =
      code === undefined ? null : findSource(code.lineMap, Number(line) - 1, Number(column) - 1)
    if (source === null) return `${shown}:${line}:${column}`
    return `${shown}:${source.line + 1}:${source.column + 1}`
  })
}

function withoutVersion(url: string): string {
  return url.replace(/\?v=\d+$/u, '')
}

/** Tell whether a stack frame belongs to the user or a library, not to Node's internals or the kernel. */
export function isShown(frame: string, kernelFolder: string): boolean {
  return (
    !/\(?node:(internal|vm|events|diagnostics_channel)\b/u.test(frame) &&
    !frame.includes(kernelFolder)
  )
}

/** V8's call sites have a toString method, which their types do not declare. */
interface Text {
  toString(): string
}

/** The number of frames that V8 collects. The frame of the cell may come after many frames of a library. */
const collectedFrames = 100
/** The number of frames that are shown, as in Node. Frames of cells are shown beyond that. */
const shownFrames = 10

/** Make stack traces name lines of cells as they were written, and leave out frames of the kernel. */
export function installStackTraces(codes: MadeCodes, kernelFolder: string): void {
  Error.stackTraceLimit = collectedFrames
  Error.prepareStackTrace = (error, sites) => {
    const prefix = prefixAt(sites, codes)
    if (prefix !== null) nameVariables(error, prefix)
    // A cell may have set the limit itself.
    const limit = Error.stackTraceLimit === collectedFrames ? shownFrames : Infinity
    const frames = sites
      .filter((site) => !isAdded(site, codes))
      .map((site) => frameOf(site, codes))
      .filter((frame) => isShown(frame, kernelFolder))
      .filter((frame, index) => index < limit || /\bcell-[\w-]+\.ts:\d/u.test(frame))
    return [headOf(error), ...frames.map((frame) => `    at ${mapPositions(frame, codes)}`)].join(
      '\n',
    )
  }
}

/** Write one line of a stack trace. V8 names an anonymous function after what it is assigned to, which may be a box. */
function frameOf(site: NodeJS.CallSite & Text, codes: MadeCodes): string {
  const prefix = prefixAt([site], codes)
  const frame = site.toString()
  return prefix === null ? frame : nameVariablesIn(frame.replace(`${prefix}.r.`, ''), prefix)
}

/** Tell whether a call is in a line that the compiler has added to a cell, such as the one that loads its imports. */
function isAdded(site: NodeJS.CallSite, codes: MadeCodes): boolean {
  const code = codes.get(site.getFileName() ?? '')
  if (code?.prefix == null) return false
  return findSource(code.lineMap, (site.getLineNumber() ?? 1) - 1, 0) === null
}

/** Return the prefix of names of boxes in the code that threw an error; null when that is not a cell. */
function prefixAt([site]: readonly NodeJS.CallSite[], codes: MadeCodes): string | null {
  return codes.get(site?.getFileName() ?? '')?.prefix ?? null
}

/** Make a message of V8 name the variable instead of its box. */
function nameVariables(error: Error, prefix: string): void {
  try {
    const { message } = error
    const named = nameVariablesIn(message, prefix)
    if (named !== message) error.message = named
  } catch {
    // The error is the user's own and its message cannot be read or written. It does not name boxes.
  }
}

/** Replace `$x.v` and `(0 , $x.v)` by `x` in a text. */
export function nameVariablesIn(text: string, prefix: string): string {
  const start = prefix.replaceAll('$', '\\$')
  const box = `(?<![\\p{ID_Continue}$])${start}([\\p{ID_Start}_][\\p{ID_Continue}$]*|\\$[\\p{ID_Continue}$]*)\\.v(?![\\p{ID_Continue}$])`
  return text
    .replace(new RegExp(`\\(0 , ${box}\\)`, 'gu'), '$1')
    .replace(new RegExp(box, 'gu'), '$1')
}

function headOf(error: object): string {
  try {
    // As in Node: `console.trace` and others ask for a stack with an object that is not an error.
    return Reflect.apply(Error.prototype.toString, error, [])
  } catch {
    // The name or message of the error cannot be read, but its frames can.
    return 'Error'
  }
}
