import ts from 'typescript'
import { fileStamp } from './file-stamp.ts'
import { readJavaScriptTypes } from './javascript-types.ts'
import { sampleJson } from './json-sample.ts'
import { NodeTypes } from './node-types.ts'

/** The files on disk that the compiler reads. Files of packages count as unchanged. The notebook's own files are checked for changes for each cell. */
export class DiskFiles {
  readonly nodeTypes = new NodeTypes()
  readonly #folder: string
  readonly #known = new Map<string, { stamp: string; snapshot: ts.IScriptSnapshot | undefined }>()

  /** Files outside of the notebook's folder that cells or own files import by a path. */
  readonly #elsewhere = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Tell whether a file is the notebook's own. Such a file is in no package; it is in the notebook's folder, or was imported by a path from there. */
  isOwn(path: string): boolean {
    if (path.includes('/node_modules/')) return false
    return path.startsWith(`${this.#folder}/`) || this.#elsewhere.has(path)
  }

  /** Note that a cell or an own file imports this file by a path. */
  adopt(path: string): void {
    this.#elsewhere.add(path)
  }

  /** Return a text that changes when the file changes. */
  stampOf(path: string): string {
    if (this.isOwn(path)) return fileStamp(path)
    return this.nodeTypes.isIndex(path) ? `package-${this.nodeTypes.version}` : 'package'
  }

  /** Return the text of a file for TypeScript. */
  snapshotOf(path: string): ts.IScriptSnapshot | undefined {
    const stamp = this.stampOf(path)
    const known = this.#known.get(path)
    if (known?.stamp === stamp && known.snapshot !== undefined) return known.snapshot
    const text = this.#textOf(path)
    const snapshot = text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    this.#known.set(path, { stamp, snapshot })
    return snapshot
  }

  #textOf(path: string): string | undefined {
    const text = readJavaScriptTypes(path) ?? ts.sys.readFile(path)
    if (text === undefined) return undefined
    if (path.endsWith('.json')) return sampleJson(text)
    return this.nodeTypes.isIndex(path) ? this.nodeTypes.withoutUnneeded(text) : text
  }
}
