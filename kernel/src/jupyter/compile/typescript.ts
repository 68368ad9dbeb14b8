import { createRequire } from 'node:module'
import process from 'node:process'
import type * as TypeScript from '@tslab/typescript-for-tslab'
import { expandShorthands } from './shorthand.ts'
import { composeMaps, parseMappings, type LineMap } from './line-map.ts'

/** TypeScript as tslab brings it, with what a cell needs beyond tslab. */
export interface CellTypeScript {
  /** Where the lines of the JavaScript made last come from, in the cell's own lines. */
  lastLineMap(): LineMap
  /** Whether a text ends inside a template or a comment. */
  isUnended(source: string): boolean
}

const require = createRequire(import.meta.url)
const inlineMap =
  /\n?\/\/# sourceMappingURL=data:application\/json[^,]*;base64,([A-Za-z0-9+/=]+)\s*$/u
/** tslab puts `export {};` before a cell. */
const linesBeforeCell = 1
/** "'*\/' expected." and "Unterminated template literal." Source: TypeScript, diagnosticMessages.json. */
const unendedCodes = [1010, 1160]

/**
 * Have tslab load a TypeScript that keeps source maps (so that an error names the cell's line), loads the types of Node alone, and finds
 * packages that the notebook's folder lacks beside `fallbackFile`. Call it before tslab is loaded.
 *
 * tslab fixes its compiler's options and drops the maps, so the module that it requires is replaced in the cache of `require` by a copy with
 * two functions wrapped. tslab is pinned exactly, and a test holds what this relies on.
 */
export function prepareTypeScript(fallbackFile: string): CellTypeScript {
  const path = require.resolve('@tslab/typescript-for-tslab')
  const original = require(path) as typeof TypeScript
  const cached = require.cache[path]
  let lineMap: LineMap = []
  const createWatchCompilerHost = (...args: unknown[]): unknown => {
    const [files, options, ...others] = args as [string[], TypeScript.CompilerOptions, ...unknown[]]
    const create = original.createWatchCompilerHost as unknown as (...args: unknown[]) => Host
    const host = create(files, { ...options, inlineSourceMap: true, types: ['node'] }, ...others)
    host.resolveModuleNames = createResolver(original, fallbackFile)
    // What packages import does not move; without this all of it is resolved anew for each cell.
    const { createProgram } = host
    host.createProgram = (...args) => withShorthands(original, createProgram(...args))
    host.hasInvalidatedResolutions = (path) => !path.includes('/node_modules/')
    return host
  }
  const transpileModule: typeof original.transpileModule = (input, options) => {
    const encoded = inlineMap.exec(input)?.[1]
    if (encoded === undefined) return original.transpileModule(input, options)
    const compilerOptions = { ...options.compilerOptions, sourceMap: true }
    const source = input.replace(inlineMap, '')
    const made = original.transpileModule(source, { ...options, compilerOptions })
    const first = mappingsOf(Buffer.from(encoded, 'base64').toString())
    lineMap = composeMaps(first, mappingsOf(made.sourceMapText ?? '{}'), linesBeforeCell)
    return {
      ...made,
      outputText: made.outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/u, '\n'),
    }
  }
  if (cached !== undefined)
    cached.exports = { ...original, createWatchCompilerHost, transpileModule }
  return {
    lastLineMap: () => lineMap,
    isUnended(source) {
      const { diagnostics = [] } = original.transpileModule(source, { reportDiagnostics: true })
      return diagnostics.some(({ code }) => unendedCodes.includes(code))
    },
  }
}

/** Let a program write out cells with their shorthand properties expanded. */
function withShorthands(
  ts: typeof TypeScript,
  builder: TypeScript.BuilderProgram,
): TypeScript.BuilderProgram {
  const emit = builder.emit.bind(builder)
  builder.emit = (file, write, token, declarationsOnly, transformers) =>
    emit(file, write, token, declarationsOnly, {
      ...transformers,
      before: [expandShorthands(ts, builder.getProgram().getTypeChecker())],
    })
  return builder
}

interface Host {
  createProgram: (...args: unknown[]) => TypeScript.BuilderProgram
  resolveModuleNames?: (
    names: string[],
    containingFile: string,
    reused: string[] | undefined,
    redirected: TypeScript.ResolvedProjectReference | undefined,
    options: TypeScript.CompilerOptions,
  ) => (TypeScript.ResolvedModule | undefined)[]
  hasInvalidatedResolutions?: (path: string) => boolean
  fileExists(path: string): boolean
  readFile(path: string): string | undefined
  directoryExists?(path: string): boolean
}

function createResolver(
  ts: typeof TypeScript,
  fallbackFile: string,
): NonNullable<Host['resolveModuleNames']> {
  return function (this: Host, names, containingFile, _reused, redirected, options) {
    const resolve = (name: string, from: string): TypeScript.ResolvedModuleFull | undefined =>
      ts.resolveModuleName(name, from, options, this, undefined, redirected).resolvedModule
    return names.map((name) => {
      const found = resolve(name, containingFile)
      if (found !== undefined || name.startsWith('.')) return found
      const lent = resolve(name, fallbackFile)
      return lent === undefined ? undefined : { ...lent, originalPath: placeInNotebook(lent) }
    })
  }
}

/**
 * Where a package lent to the notebook would be if it were the notebook's own. TypeScript takes the difference for a symbolic link, and can so
 * name the package's types in what it notes of a cell; otherwise `const x = await f()` is an error (TS2742) far from the checkout.
 */
function placeInNotebook(lent: TypeScript.ResolvedModuleFull & Linked): string {
  const path = lent.originalPath ?? lent.resolvedFileName
  const folder = '/node_modules/'
  const at = path.lastIndexOf(folder)
  return at === -1 ? path : process.cwd() + path.slice(at)
}

/** What TypeScript keeps of a resolution that followed a symbolic link; its published types leave it out. */
interface Linked {
  readonly originalPath?: string
}

function mappingsOf(json: string): LineMap {
  const map: unknown = JSON.parse(json)
  const mappings =
    typeof map === 'object' && map !== null && 'mappings' in map ? map.mappings : undefined
  return typeof mappings === 'string' ? parseMappings(mappings) : []
}
