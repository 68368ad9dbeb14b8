import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CompiledFile, SentFile } from '../compile/compilation.ts'
import { cellScheme, figurePackage, figureUrl, installModuleHooks } from './module-hooks.ts'
import { jsonModule, wholeValue } from './json-modules.ts'
import { describeUnresolved, isMissing } from './missing-modules.ts'
import { LoadedPackages } from './loaded-packages.ts'
import { OwnFiles } from './own-files.ts'
import { isPath } from './specifier.ts'
import type { PathSettings } from '../compile/path-settings.ts'

/** The exports of a module by name. Reading one gives its current value. */
export type ModuleNamespace = Readonly<Record<string, unknown>>

/** The modules that cells import: packages, and the notebook's own files. */
export interface Modules {
  /** The values of {@link moduleWords} that cells get. */
  readonly words: readonly unknown[]
  /** `import.meta` in cells. */
  readonly meta: object
  /** `import()` in cells. */
  import(id: string, attributes: Readonly<Record<string, string>> | null): Promise<ModuleNamespace>
  /** Replace files that were compiled again, and the paths of the notebook's `tsconfig.json`. The next import uses them. */
  update(files: readonly SentFile[], paths: PathSettings | null): void
}

/** Options of {@link createModules}. */
export interface ModulesOptions {
  /** The notebook's folder, from which imports are resolved first. */
  readonly folder: string
  /** A file from which packages are resolved that the notebook's folder lacks. */
  readonly fallbackFile: string
  /** Modules that the kernel provides without a package. */
  readonly builtIn: ReadonlyMap<string, object>
  /** Compile one of the notebook's own TypeScript files that was not compiled with a cell. */
  compile(path: string): CompiledFile
  /** Show the user a notice in the cell that runs. */
  tell(text: string): void
}

/** Create the loader of a notebook's imports. It changes how this process resolves modules, so a process has only one. */
export function createModules(options: ModulesOptions): Modules {
  const { folder, fallbackFile, builtIn } = options
  const place = join(folder, 'cell.mjs')
  const cellUrl = pathToFileURL(place).href
  const files = new OwnFiles(folder, options.compile)
  const own = createRequire(place)
  const lent = createRequire(fallbackFile)
  const fallbackUrl = pathToFileURL(fallbackFile).href
  installModuleHooks({ files, cellUrl, fallbackUrl, builtIn })
  const packages = new LoadedPackages()
  const notePackage = (id: string): void => {
    const notice = isPath(id) || builtIn.has(id) ? null : packages.note(id, [cellUrl, fallbackUrl])
    if (notice !== null) options.tell(notice)
  }

  /** Return the `require` that resolves an id: the kernel's for packages that the notebook's folder lacks. */
  const finderOf = (id: string): NodeJS.Require => {
    try {
      own.resolve(id)
    } catch (error) {
      if (!isPath(id) && isMissing(error, id)) return lent
    }
    return own
  }
  const kernelFiles = [place, fallbackFile]
  const inWords = <Found>(id: string, find: (id: string) => Found): Found => {
    try {
      return find(id)
    } catch (error) {
      throw describeUnresolved(error, id, kernelFiles)
    }
  }
  const load = (id: string): unknown => {
    if (builtIn.has(id)) return builtIn.get(id)
    const path = files.locate(folder, id)
    if (path === null || !files.isOwn(path)) {
      const finder = finderOf(id)
      const isFigures = id === figurePackage && finder === lent
      const found: unknown = finder(isFigures ? figureUrl : id)
      notePackage(id)
      return found
    }
    files.refresh(path)
    try {
      const found: unknown = own(path)
      files.succeed(path)
      return found
    } catch (error) {
      files.fail(path)
      throw error
    }
  }
  const find = (id: string): string => {
    const path = files.locate(folder, id)
    return path !== null && files.isOwn(path) ? path : finderOf(id).resolve(id)
  }
  const resolve = (id: string): string => inWords(id, find)
  const require = Object.assign((id: string): unknown => inWords(id, load), {
    resolve,
    cache: own.cache,
    main: undefined,
  })
  const module = { exports: {} }

  return {
    words: [require, module, module.exports, folder, place],
    meta: {
      url: cellUrl,
      filename: place,
      dirname: folder,
      main: true,
      resolve: (id: string) => (/^[\w-]{2,}:/u.test(id) ? id : pathToFileURL(resolve(id)).href),
    },
    async import(id, attributes) {
      const path = files.locate(folder, id)
      // JSON is read again each time, because an experiment may have written it again.
      const json = path ?? (/^[^:]+\.json$/u.test(id) ? resolve(id) : null)
      if (json?.endsWith('.json') === true)
        return jsonModule(json, relative(folder, json)) as ModuleNamespace
      try {
        const options = attributes === null ? {} : { with: { ...attributes } }
        const module = (await import(cellScheme + id, options)) as ModuleNamespace
        if (path === null) notePackage(id)
        else files.succeed(path)
        return module
      } catch (error) {
        if (path !== null) files.fail(path)
        throw describeUnresolved(error, id, kernelFiles)
      }
    },
    update: (compiled, paths) => files.update(compiled, paths),
  }
}

/**
 * Make the function by which a variable reads an imported name. It returns the current value, as ES modules do. The name `*` is the whole module.
 *
 * In Node, the default export of a CommonJS module is `module.exports`. In TypeScript it is `exports.default` if the file was compiled from an ES module
 * (`__esModule`). TypeScript also allows exports of CommonJS modules that Node did not detect.
 *
 * @throws SyntaxError when the module has no such export.
 */
export function readerOf(module: ModuleNamespace, name: string, from: string): () => unknown {
  if (name === '*' && wholeValue in module) return () => module[wholeValue]
  const common = module['module.exports']
  const isObject = (typeof common === 'object' && common !== null) || typeof common === 'function'
  if (name === '*') return wholeModule(module, isObject ? common : null)
  if (isObject && name === 'default' && Reflect.get(common, '__esModule') === true)
    return () => Reflect.get(common, 'default') as unknown
  if (name in module) return () => module[name]
  if (isObject && name in common) return () => Reflect.get(common, name) as unknown
  throw new SyntaxError(`'${from}' has no export '${name}'`)
}

function wholeModule(module: ModuleNamespace, common: object | null): () => unknown {
  const isWhole = common === null || Object.keys(common).every((name) => name in module)
  if (isWhole) return () => module
  const whole: unknown = Object.assign(Object.create(null) as object, common, module)
  return () => whole
}
