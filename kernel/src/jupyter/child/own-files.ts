import { readFileSync, statSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileStamp } from '../compile/file-stamp.ts'
import type { CompiledFile, SentFile } from '../compile/compilation.ts'
import { pathsFor, type PathSettings } from '../compile/path-settings.ts'
import { isJson } from '../compile/whole-json.ts'
import { wholeSuffix } from './json-modules.ts'
import { isPath, pathOf } from './specifier.ts'

/** A file as it was last loaded. */
interface LoadedFile {
  readonly stamp: string
  readonly version: number
  /** The versions of the files that it imports. */
  readonly links: Map<string, number>
  /** Whether it was loaded without an error. */
  isGood: boolean
}

/**
 * The suffix of a wrapper's URL. A wrapper is a module that re-exports one version of an ES module. `require` needs it: Node drops the version from the URL of
 * an ES module that is required, and would return the first version again. Each version has a wrapper of its own.
 */
export const wrapperSuffix = (version: number): string => `.$v${version}.mjs`

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

/** Finds `import * as` and its specifier. What it finds in comments and texts does no harm. */
const starImport = /\bimport\b[^'"`;]*\*\s*as\b[^'"`;]*\bfrom\s*['"]([^'"\n]+)['"]/gu

/**
 * The notebook's own files. Node caches each module by its URL for good. So each change of a file, or of a file that it imports, gives it a new version number,
 * which is part of its URL.
 */
export class OwnFiles {
  readonly #folder: string
  readonly #loaded = new Map<string, LoadedFile>()
  readonly #compiled = new Map<string, { readonly stamp: string; readonly code: string }>()
  /** Files outside of the notebook's folder that cells, or own files, import by a path. */
  readonly #elsewhere = new Set<string>()
  readonly #cache: NodeJS.Require['cache']

  readonly #compile: (path: string) => CompiledFile
  #paths: PathSettings | null = null

  /** `compile` compiles a file that was not given to {@link update}. */
  constructor(folder: string, compile: (path: string) => CompiledFile) {
    this.#folder = folder
    this.#compile = compile
    this.#cache = createRequire(join(folder, 'cell.js')).cache
  }

  /** Tell whether a file is the notebook's own. Such a file is in no package; it is in the notebook's folder, or was imported by a path from there. */
  isOwn(path: string): boolean {
    if (path.includes('/node_modules/')) return false
    return path.startsWith(`${this.#folder}/`) || this.#elsewhere.has(path)
  }

  /** Tell whether a file is an ES module. A `.js` file is one when its package.json says so, or when it contains an import or export. */
  isModule(path: string): boolean {
    if (/\.(?:m[jt]s|tsx?)$/u.test(path)) return true
    if (!path.endsWith('.js')) return false
    const type = packageTypeOf(path)
    if (type !== null) return type === 'module'
    return /^(?:import\s*[\w{*'"]|export\s*[\w{*])/mu.test(readFileSync(path, 'utf8'))
  }

  /** Find the file of a path, which may lack its extension; null when there is none. `./x.js` may refer to `./x.ts`. */
  find(path: string): string | null {
    const found = endings.map((ending) => path + ending).find(isFile)
    if (found !== undefined) return found
    const source = /\.[cm]?js$/u.test(path) ? path.replace(/js$/u, 'ts') : path
    return source !== path && isFile(source) ? source : null
  }

  /** Resolve a path that a cell or an own file in this folder imports. */
  resolve(folder: string, path: string): string | null {
    const found = this.find(resolve(folder, path))
    if (found !== null) this.#elsewhere.add(found)
    return found
  }

  /**
   * Find the own file that a specifier in a file of this folder names, by a path or by the `paths` of the notebook's `tsconfig.json`. Null for packages, for
   * modules of Node, whose types come first, too, and when there is none.
   */
  locate(folder: string, id: string): string | null {
    if (isPath(id)) return this.resolve(folder, pathOf(id) ?? id)
    if (isBuiltin(id)) return null
    // Declarations give a package its types alone.
    const paths = pathsFor(id, this.#paths).filter((path) => !/\.d\.[cm]?ts$/u.test(path))
    for (const path of paths) {
      const found = this.resolve(folder, path)
      if (found !== null) return found
    }
    return null
  }

  /** Return the version of a file. It is a new one when the file or one of its imports has changed, or when loading it failed. */
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
    // The cache of `require` has files and wrappers by path, so remove those of the old version.
    for (const old of [path, ...[wrapperSuffix, wholeSuffix].map((of) => path + of(version - 1))])
      Reflect.deleteProperty(this.#cache, old)
    return version
  }

  /** Note that one file imports another. */
  link(from: string, to: string, version: number): void {
    this.#loaded.get(from)?.links.set(to, version)
  }

  /** Note that a file was loaded, with all its imports. */
  succeed(path: string): void {
    for (const file of this.#reachable(path)) file.isGood = true
  }

  /** Note that a file could not be loaded. Node caches the error for it and its imports, so the next attempt needs new versions. */
  fail(path: string): void {
    for (const file of this.#reachable(path)) if (!file.isGood) this.#forget(file)
  }

  /** Store files that were compiled, and the paths by which own files may be imported. */
  update(files: readonly SentFile[], paths: PathSettings | null): void {
    this.#paths = paths
    for (const { path, stamp, code } of files) this.#compiled.set(path, { stamp, code })
  }

  /**
   * Return the current JavaScript of one of the notebook's own files; null for a file that runs as it is. Those that are compiled are the TypeScript files, and ES
   * modules with `import * as` of JSON.
   */
  codeOf(path: string): string | null {
    const compiled = this.#compiled.get(path)
    const stamp = fileStamp(path)
    if (compiled?.stamp === stamp) return compiled.code
    if (!this.isOwn(path)) return null
    if (!/\.[cm]?tsx?$/u.test(path) && !this.#takesWholeJson(path)) return null
    const { code } = this.#compile(path)
    this.#compiled.set(path, { stamp, code })
    return code
  }

  /** Tell whether a `.js` or `.mjs` file is an ES module that has `import * as` of JSON. */
  #takesWholeJson(path: string): boolean {
    if (!/\.m?js$/u.test(path) || !this.isModule(path)) return false
    const found = readFileSync(path, 'utf8').matchAll(starImport)
    return [...found].some(([, specifier = '']) => isJson(specifier, this.#paths))
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

/** Return the `type` of the nearest package.json above a file; null when there is none. */
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
