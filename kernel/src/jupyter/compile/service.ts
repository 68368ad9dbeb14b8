import { dirname, join } from 'node:path'
import ts from 'typescript'
import type { CellFiles } from './cell-files.ts'
import type { DiskFiles } from './disk-files.ts'
import { createDocuments } from './documents.ts'
import type { FolderSettings } from './folder-settings.ts'
import { javaScriptFolder, javaScriptIndex } from './javascript-types.ts'

/** Options of {@link createCellService}. */
export interface CellServiceOptions {
  /** The notebook's folder, from which packages are resolved first. */
  readonly folder: string
  /** A file from which packages are resolved that the notebook's folder lacks. */
  readonly fallbackFile: string
  /** Modules that the kernel provides. A file of the cells declares them. */
  readonly builtIn: ReadonlySet<string>
  readonly settings: FolderSettings
  readonly cells: CellFiles
  readonly disk: DiskFiles
}

/** TypeScript's language service for the modules of cells and their imports. */
export interface CellService {
  readonly service: ts.LanguageService
  /** Bring the program up to date after changes of cells or of the notebook's own files. */
  update(): ts.Program
  /** Return the notebook's own files that a file imports, directly or indirectly. */
  ownImportsOf(path: string): string[]
  /** Resolve missing modules again, because they may have been installed. */
  forgetResolutions(): void
}

function createOptions({ folder, fallbackFile, settings }: CellServiceOptions): ts.CompilerOptions {
  const rootsOf = (place: string): string[] =>
    ts.getEffectiveTypeRoots({}, { getCurrentDirectory: () => place }) ?? []
  return {
    ...settings,
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    // Under this condition, the library's package.json names one file with all its types. It takes a third of the memory of the separate files.
    customConditions: ['community-lab-cells'],
    // Without `lib.dom`: cells do not have a browser's globals, so their use must not pass the check.
    lib: [javaScriptIndex],
    // Otherwise TypeScript would look for a package that replaces its declarations, for each program.
    libReplacement: false,
    types: ['node'],
    typeRoots: [...rootsOf(folder), ...rootsOf(dirname(fallbackFile))],
    strict: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    // The declarations of cells are read, and no file is written.
    declaration: true,
    emitDeclarationOnly: true,
    suppressOutputPathCheck: true,
    resolveJsonModule: true,
    esModuleInterop: true,
    allowJs: true,
    checkJs: false,
    jsx: ts.JsxEmit.React,
  }
}

function isPath(specifier: string): boolean {
  return /^(?:\.{1,2}(?:\/|$)|\/)/u.test(specifier)
}

/** Resolve the module of a cell. A module without a path is declared in a file of old cells. */
function resolveCell(path: string | undefined): ts.ResolvedModuleWithFailedLookupLocations {
  if (path === undefined) return { resolvedModule: undefined }
  const extension = ts.Extension.Ts
  return {
    resolvedModule: { resolvedFileName: path, extension, isExternalLibraryImport: false },
  }
}

/** The text before a module's name in the list of Node's modules. */
const listed = 'import('

/** Create the service. Its first program takes 0.5 s. */
export function createCellService(options: CellServiceOptions): CellService {
  const { folder, fallbackFile, builtIn, cells, disk } = options
  const compilerOptions = createOptions(options)
  const cache = ts.createModuleResolutionCache(folder, (path) => path, compilerOptions)
  // What the notebook's folder lacks is noted for the folders above it, too. TypeScript would not look for packages without types beside the kernel then.
  const fallbackCache = ts.createModuleResolutionCache(
    dirname(fallbackFile),
    (path) => path,
    compilerOptions,
    cache.getPackageJsonInfoCache(),
  )
  const ownImports = new Map<string, string[]>()
  const isOwn = (path: string): boolean => disk.isOwn(path) && cells.maybe(path) === undefined

  const host: ts.LanguageServiceHost & { getModuleResolutionCache(): ts.ModuleResolutionCache } = {
    getCompilationSettings: () => compilerOptions,
    getCurrentDirectory: () => folder,
    // Do not parse comments of packages, which took a third of the memory. `documentation.ts` reads them from the files when needed.
    jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
    getDefaultLibFileName: (of) => join(javaScriptFolder, ts.getDefaultLibFileName(of)),
    getScriptFileNames: () => cells.paths,
    getScriptVersion: (path) => cells.maybe(path)?.version.toString() ?? disk.stampOf(path),
    getScriptSnapshot: (path) => cells.maybe(path)?.snapshot ?? disk.snapshotOf(path),
    fileExists: (path) => cells.maybe(path) !== undefined || ts.sys.fileExists(path),
    readFile: (path) => cells.maybe(path)?.text ?? ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    // For proposals of paths and packages in imports.
    readDirectory: (path, ...how) => ts.sys.readDirectory(path, ...how),
    getDirectories: (path) => ts.sys.getDirectories(path),
    realpath: (path) => ts.sys.realpath?.(path) ?? path,
    useCaseSensitiveFileNames: () => true,
    // TypeScript does not require this method. Without it, TypeScript reads every package.json again for each program.
    getModuleResolutionCache: () => cache,
    resolveModuleNameLiterals(literals, from, redirected, fileOptions, file) {
      const isProcess = from.endsWith('/@types/node/process.d.ts')
      const found = literals.map((literal) => {
        // Node's types list all modules as `typeof import('zlib')`, for `process.getBuiltinModule`.
        const isListed = isProcess && file.text.startsWith(listed, literal.pos - listed.length)
        if (!isListed) disk.nodeTypes.need(literal.text)
        if (builtIn.has(literal.text)) return { resolvedModule: undefined }
        if (cells.isSpecifier(literal.text)) return resolveCell(cells.maybePathOf(literal.text))
        const mode = ts.getModeForUsageLocation(file, literal, fileOptions)
        const resolve = (
          place: string,
          known: ts.ModuleResolutionCache,
        ): ts.ResolvedModuleWithFailedLookupLocations =>
          ts.resolveModuleName(literal.text, place, fileOptions, host, known, redirected, mode)
        const own = resolve(from, cache)
        if (own.resolvedModule !== undefined || literal.text.startsWith('.')) return own
        return resolve(fallbackFile, fallbackCache)
      })
      if (!isOwn(from) && !cells.has(from)) return found
      const own = found.flatMap(({ resolvedModule }, index) => {
        if (resolvedModule === undefined) return []
        const { resolvedFileName } = resolvedModule
        // What `paths` of the notebook's `tsconfig.json` finds is an own file, too.
        const isPackage = resolvedModule.isExternalLibraryImport === true
        if (isPath(literals[index]?.text ?? '') || !isPackage) disk.adopt(resolvedFileName)
        return isOwn(resolvedFileName) ? [resolvedFileName] : []
      })
      ownImports.set(from, own)
      return found
    },
  }
  const service = ts.createLanguageService(host, createDocuments())
  return {
    service,
    update() {
      const { nodeTypes } = disk
      let program: ts.Program | undefined
      let version: number
      // The imports of a new program may need further types of Node.
      do {
        version = nodeTypes.version
        program = service.getProgram()
      } while (nodeTypes.version !== version)
      if (program === undefined) throw new Error('the language service has no program')
      return program
    },
    ownImportsOf(path) {
      const found = new Set<string>()
      const visit = (from: string): void => {
        for (const each of ownImports.get(from) ?? []) {
          if (found.has(each)) continue
          found.add(each)
          visit(each)
        }
      }
      visit(path)
      return [...found]
    },
    forgetResolutions() {
      cache.clear()
      fallbackCache.clear()
    },
  }
}
