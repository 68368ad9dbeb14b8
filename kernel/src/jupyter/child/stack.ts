import { findSource, type LineMap } from '../compile/line-map.ts'
import { pathOf } from './module-hooks.ts'

/** How to read positions in JavaScript that TypeScript has made of a cell or of one of the notebook's own files. */
export interface MadeCode {
  readonly lineMap: LineMap
  /** What the names of boxes begin with; null where there are none. */
  readonly prefix: string | null
}

/** All of these, by the cell's name or the file's path. */
export type MadeCodes = ReadonlyMap<string, MadeCode>

const position = /(@?)(cell-[\w-]+\.ts|file:\/\/[^\s()]+?):(\d+):(\d+)/gu

/** Replace positions in the JavaScript of cells and files by those in what was written. `@` marks one that is already such. */
export function mapPositions(text: string, codes: MadeCodes): string {
  return text.replace(
    position,
    (found, mark: string, name: string, line: string, column: string) => {
      if (mark === '@') return found.slice(1)
      const path = pathOf(name)
      const code = codes.get(path ?? name)
      const shown = path === null || code === undefined ? withoutVersion(name) : path
      const source =
        code === undefined ? null : findSource(code.lineMap, Number(line) - 1, Number(column) - 1)
      if (source === null) return `${shown}:${line}:${column}`
      return `${shown}:${source.line + 1}:${source.column + 1}`
    },
  )
}

function withoutVersion(url: string): string {
  return url.replace(/\?v=\d+$/u, '')
}

/** Whether a frame is the user's or a library's: not Node's inside, nor the kernel's. */
export function isShown(frame: string, kernelFolder: string): boolean {
  return !/\(?node:(internal|vm|events)\b/u.test(frame) && !frame.includes(kernelFolder)
}

/** V8's call sites write themselves as the lines of a stack, which their types leave out. */
interface Text {
  toString(): string
}

/** Have all stacks name the lines of cells as they were written, and leave out the kernel's own frames. */
export function installStackTraces(codes: MadeCodes, kernelFolder: string): void {
  Error.prepareStackTrace = (error, sites) => {
    const prefix = prefixAt(sites, codes)
    if (prefix !== null) nameVariables(error, prefix)
    const frames = sites
      .map((site) => frameOf(site, codes))
      .filter((frame) => isShown(frame, kernelFolder))
    return [headOf(error), ...frames.map((frame) => `    at ${mapPositions(frame, codes)}`)].join(
      '\n',
    )
  }
}

/** A line of a stack. V8 calls a function without a name after what it is assigned to, which may be a box. */
function frameOf(site: NodeJS.CallSite & Text, codes: MadeCodes): string {
  const prefix = prefixAt([site], codes)
  const frame = site.toString()
  return prefix === null ? frame : nameVariablesIn(frame.replace(`${prefix}.r.`, ''), prefix)
}

/** What the names of boxes begin with in the code that threw an error; null when that is no cell. */
function prefixAt([site]: readonly NodeJS.CallSite[], codes: MadeCodes): string | null {
  return codes.get(site?.getFileName() ?? '')?.prefix ?? null
}

/** Let a message of V8 name the variable instead of the box that holds it. */
function nameVariables(error: Error, prefix: string): void {
  try {
    const { message } = error
    const named = nameVariablesIn(message, prefix)
    if (named !== message) error.message = named
  } catch {
    // An error of the user's own, whose message cannot be read or written, does not speak of boxes.
  }
}

/** The same text with `x` in the place of `$x.v` and `(0 , $x.v)`. */
export function nameVariablesIn(text: string, prefix: string): string {
  const start = prefix.replaceAll('$', '\\$')
  const box = `(?<![\\p{ID_Continue}$])${start}([\\p{ID_Start}_][\\p{ID_Continue}$]*|\\$[\\p{ID_Continue}$]*)\\.v(?![\\p{ID_Continue}$])`
  return text
    .replace(new RegExp(`\\(0 , ${box}\\)`, 'gu'), '$1')
    .replace(new RegExp(box, 'gu'), '$1')
}

function headOf(error: object): string {
  try {
    // As Node does: what has asked for a stack, like `console.trace`, need not be an error.
    return Reflect.apply(Error.prototype.toString, error, [])
  } catch {
    // An error whose name or message cannot be read still deserves its frames.
    return 'Error'
  }
}
