import { findSource, type LineMap } from '../compile/line-map.ts'

const position = /(cell-[\w-]+\.ts):(\d+):(\d+)/gu

/** Where the lines of each cell's JavaScript come from, by the cell's name. */
export type LineMaps = ReadonlyMap<string, LineMap>

/** Replace positions in the JavaScript of cells by those in the cells as they were written; `indent` columns of the first line are ours. */
export function mapPositions(text: string, maps: LineMaps, indent: number): string {
  return text.replace(position, (found, name: string, line: string, column: string) => {
    const map = maps.get(name)
    if (map === undefined) return found
    const ownColumn = Number(column) - 1 - (line === '1' ? indent : 0)
    const source = findSource(map, Number(line) - 1, ownColumn)
    return source === null ? found : `${name}:${source.line + 1}:${source.column + 1}`
  })
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
export function installStackTraces(maps: LineMaps, indent: number, kernelFolder: string): void {
  Error.prepareStackTrace = (error, sites) => {
    const frames = sites
      .map((site: Text) => site.toString())
      .filter((frame) => isShown(frame, kernelFolder))
    return [headOf(error), ...frames.map((f) => `    at ${mapPositions(f, maps, indent)}`)].join(
      '\n',
    )
  }
}

function headOf(error: unknown): string {
  try {
    return String(error)
  } catch {
    // An error whose own toString fails still deserves its frames.
    return 'Error'
  }
}
