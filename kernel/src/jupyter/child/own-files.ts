import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileStamp } from '../compile/file-stamp.ts'
import type { CompiledFile, SentFile } from '../compile/compilation.ts'

/** A file as it was last loaded. */
interface LoadedFile {
  readonly stamp: string
  readonly version: number
  /** The version of each file that it imports. */
  readonly links: Map<string, number>
  /** Whether it was loaded without an error. */
  isGood: boolean
}

/**
 * A door is what `require` gets for an ES module: Node drops the version from its URL, so it would get the module as it was first loaded. Each version has a
 * door of its own, a module that gives all of it.
 */
export const doorOf = (version: number): string => `.$v${version}.mjs`

const endings = [
  '',
  '.ts',
  '.mts',
  '.cts',
  '.tsx',
  '.js',
  '.mjs',
  '.cjs',
  '.json',
  '/index.ts',
  '/index.js',
]

/**
 * The notebook's own files. Node keeps each module under its URL for good, so each change of a file, or of one that it imports, gives it a new version,
 * which stands in the URL.
 */
export class OwnFiles {
  readonly #folder: string
  readonly #loaded = new Map<string, LoadedFile>()
  readonly #compiled = new Map<string, { readonly stamp: string; readonly code: string }>()
  /** Files that cells, or own files, name by a path. They may be outside of the notebook's folder. */
  readonly #elsewhere = new Set<string>()
  readonly #cache: NodeJS.Require['cache']

  readonly #compile: (path: string) => CompiledFile

  /** `compile` makes JavaScript of a file that was not given to {@link update}. */
  constructor(folder: string, compile: (path: string) => CompiledFile) {
    this.#folder = folder
    this.#compile = compile
    this.#cache = createRequire(join(folder, 'cell.js')).cache
  }

  /** Whether a file is the notebook's own: of no package, and in its folder, or found by its path from there. */
  isOwn(path: string): boolean {
    if (path.includes('/node_modules/')) return false
    return path.startsWith(`${this.#folder}/`) || this.#elsewhere.has(path)
  }

  /** Whether a file is an ES module. A `.js` file is one when its package says so, or when it imports or exports. */
  isModule(path: string): boolean {
    if (/\.(?:m[jt]s|tsx?)$/u.test(path)) return true
    if (!path.endsWith('.js')) return false
    const type = packageTypeOf(path)
    if (type !== null) return type === 'module'
    return /^(?:import\s*[\w{*'"]|export\s*[\w{*])/mu.test(readFileSync(path, 'utf8'))
  }

  /** Find the file that a path without its ending means; null when there is none. `./x.js` may be the name of `./x.ts`. */
  find(path: string): string | null {
    const found = endings.map((ending) => path + ending).find(isFile)
    if (found !== undefined) return found
    const source = /\.[cm]?js$/u.test(path) ? path.replace(/js$/u, 'ts') : path
    return source !== path && isFile(source) ? source : null
  }

  /** Find what a path means that a cell or an own file in this folder names. */
  resolve(folder: string, path: string): string | null {
    const found = this.find(resolve(folder, path))
    if (found !== null) this.#elsewhere.add(found)
    return found
  }

  /** The version of a file: a new one when it or what it imports has changed, or when it failed. */
  refresh(path: string, seen = new Set<string>()): number {
    const before = this.#loaded.get(path)
    if (before !== undefined && seen.has(path)) return before.version
    seen.add(path)
    const stamp = fileStamp(path)
    if (before !== undefined) {
      const links = [...before.links]
      const isLinkNew = links.map(([link, version]) => this.refresh(link, seen) !== version)
      if (before.stamp === stamp && !isLinkNew.includes(true)) return before.version
    }
    const version = (before?.version ?? 0) + 1
    this.#loaded.set(path, { stamp, version, links: new Map(), isGood: false })
    // The cache of `require` has files and doors by their paths, so those of the old version must go.
    for (const old of [path, path + doorOf(version - 1)]) Reflect.deleteProperty(this.#cache, old)
    return version
  }

  /** Note that one file imports another. */
  link(from: string, to: string, version: number): void {
    this.#loaded.get(from)?.links.set(to, version)
  }

  /** A file was loaded, with all that it imports. */
  succeed(path: string): void {
    for (const file of this.#reachable(path)) file.isGood = true
  }

  /** A file could not be loaded: Node keeps its error, and that of what it imports, so the next try needs new versions. */
  fail(path: string): void {
    for (const file of this.#reachable(path)) if (!file.isGood) this.#forget(file)
  }

  /** Take files that were compiled. */
  update(files: readonly SentFile[]): void {
    for (const { path, stamp, code } of files) this.#compiled.set(path, { stamp, code })
  }

  /** The JavaScript of one of the notebook's own TypeScript files as it is now; null for other files. */
  codeOf(path: string): string | null {
    const compiled = this.#compiled.get(path)
    const stamp = fileStamp(path)
    if (compiled?.stamp === stamp) return compiled.code
    if (!this.isOwn(path) || !/\.[cm]?tsx?$/u.test(path)) return null
    const { code } = this.#compile(path)
    this.#compiled.set(path, { stamp, code })
    return code
  }

  #reachable(path: string, seen = new Map<string, LoadedFile>()): LoadedFile[] {
    const file = this.#loaded.get(path)
    if (file === undefined || seen.has(path)) return []
    seen.set(path, file)
    for (const link of file.links.keys()) this.#reachable(link, seen)
    return [...seen.values()]
  }

  #forget(file: LoadedFile): void {
    for (const [path, each] of this.#loaded)
      if (each === file) this.#loaded.set(path, { ...file, stamp: 'failed' })
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** What the nearest package.json above a file says of its `.js` files; null when it says nothing. */
function packageTypeOf(path: string): unknown {
  for (let place = dirname(path); ; place = dirname(place)) {
    const file = join(place, 'package.json')
    if (isFile(file)) {
      const json: unknown = JSON.parse(readFileSync(file, 'utf8'))
      return typeof json === 'object' && json !== null ? (Reflect.get(json, 'type') ?? null) : null
    }
    if (dirname(place) === place) return null
  }
}
