import { registerHooks, type ResolveHookContext } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { wholeJsonScheme } from '../compile/whole-json.ts'
import {
  isWhole,
  wholeJsonOf,
  wholeSuffix,
  writeJsonModule,
  writeWholeJson,
} from './json-modules.ts'
import { isMissing } from './missing-modules.ts'
import { wrapperSuffix, type OwnFiles } from './own-files.ts'
import { isPath, pathOf } from './specifier.ts'

/** The prefix of a module specifier that a cell imports. */
export const cellScheme = 'cell:'
const builtInScheme = 'community-lab:'
/** The package Observable Plot, and the URL of the module that cells get for it. */
export const figurePackage = '@observablehq/plot'
export const figureUrl = `${builtInScheme}figures`
/** Observable Plot needs a browser, so cells get the drawing functions of the kernel's `Plot`. */
const figureModule = `export * from '${figurePackage}'
import { Plot } from '@community-lab/kernel'
export const { plot, legend } = Plot
`
const builtInSymbol = Symbol.for('community-lab.built-in')

/** Options of {@link installModuleHooks}. */
export interface ModuleHooksOptions {
  readonly files: OwnFiles
  /** The URL of cells as a parent module. */
  readonly cellUrl: string
  /** The URL from which packages are resolved that the notebook's folder lacks. */
  readonly fallbackUrl: string
  /** Modules that the kernel provides without a package. */
  readonly builtIn: ReadonlyMap<string, object>
}

type Resolve = Parameters<typeof registerHooks>[0]['resolve'] & {}
type Next = Parameters<Resolve>[2]
type Resolved = ReturnType<Next>

/**
 * Install hooks by which Node resolves imports of cells and of the notebook's own files. Own files are loaded in their latest version. Packages are resolved
 * from the notebook's folder first, then from the kernel.
 */
export function installModuleHooks(options: ModuleHooksOptions): void {
  const { files, builtIn, cellUrl, fallbackUrl } = options
  Object.defineProperty(globalThis, builtInSymbol, { value: builtIn, configurable: true })
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith(cellScheme)) {
        const id = specifier.slice(cellScheme.length)
        const found = resolveOwn(id, { ...context, parentURL: cellUrl }, { ...options, next })
        if (id !== figurePackage) return found
        // A version of Plot that is installed beside the notebook is used as it is.
        const isLent = found.url === next(id, { ...context, parentURL: fallbackUrl }).url
        return isLent ? { url: figureUrl, format: 'module', shortCircuit: true } : found
      }
      if (specifier === figureUrl) return { url: figureUrl, format: 'module', shortCircuit: true }
      if (context.parentURL === figureUrl)
        return next(specifier, { ...context, parentURL: fallbackUrl })
      if (isWhole(context.parentURL))
        return { url: specifier, format: 'module', importAttributes: {}, shortCircuit: true }
      const parent = pathOf(context.parentURL)
      if (parent === null || !files.isOwn(parent)) return next(specifier, context)
      if (specifier.startsWith(wholeJsonScheme))
        return wholeJson(specifier.slice(wholeJsonScheme.length), context, { ...options, next })
      return resolveOwn(specifier, context, { ...options, next })
    },
    load(url, context, next) {
      if (url === figureUrl) return { format: 'module', source: figureModule, shortCircuit: true }
      if (url.startsWith(builtInScheme))
        return { ...builtInModule(url.slice(builtInScheme.length), builtIn), shortCircuit: true }
      const json = wholeJsonOf(url)
      if (json !== null)
        return { format: 'module', source: writeWholeJson(json), shortCircuit: true }
      const wrapped = wrappedModule(url)
      if (wrapped !== null) {
        const source = `import * as all from ${JSON.stringify(wrapped)}\nexport { all as 'module.exports' }\n`
        return { format: 'module', source, shortCircuit: true }
      }
      const path = pathOf(url)
      if (path?.endsWith('.json') === true && context.format === 'module')
        return { format: 'module', source: writeJsonModule(path), shortCircuit: true }
      const source = path === null ? null : files.codeOf(path)
      if (path === null || source === null) return next(url, context)
      return { format: path.endsWith('.cts') ? 'commonjs' : 'module', source, shortCircuit: true }
    },
  })
}

/** Resolve the whole of a JSON file. */
function wholeJson(
  id: string,
  context: ResolveHookContext,
  options: ModuleHooksOptions & { readonly next: Next },
): Resolved {
  const resolved = resolveOwn(id, context, options)
  const path = pathOf(resolved.url)
  if (path?.endsWith('.json') !== true) return resolved
  const version = options.files.isOwn(path) ? options.files.refresh(path) : 0
  const url = pathToFileURL(path).href + wholeSuffix(version)
  return { url, format: 'module', shortCircuit: true }
}

/** Return the URL of the module that a wrapper re-exports, with its version; null when the URL is not that of a wrapper. See {@link wrapperSuffix}. */
function wrappedModule(url: string): string | null {
  const [, start, version] = /^(file:.*)\.\$v(\d+)\.mjs$/u.exec(url) ?? []
  return start === undefined || version === undefined ? null : `${start}?v=${version}`
}

function resolveOwn(
  id: string,
  context: ResolveHookContext,
  { files, builtIn, fallbackUrl, next }: ModuleHooksOptions & { readonly next: Next },
): Resolved {
  if (builtIn.has(id)) return { url: builtInScheme + id, format: 'module', shortCircuit: true }
  const parent = pathOf(context.parentURL)
  const path = parent === null ? null : files.locate(dirname(parent), id)
  if (isPath(id) && parent !== null && (path === null || !files.isOwn(path)))
    return asJson(next(id, context), context)
  if (parent !== null && path !== null && files.isOwn(path)) {
    const version = files.refresh(path)
    files.link(parent, path, version)
    const url = pathToFileURL(path).href
    const isImport = context.conditions.includes('import')
    if (isImport) return asJson({ url: `${url}?v=${version}`, shortCircuit: true }, context)
    // Node's CommonJS cache has modules by their paths. `refresh` removes a file from it when the file has a new version.
    if (!files.isModule(path) || isOnlyResolved(context, next))
      return asJson({ url, shortCircuit: true }, context)
    return { url: url + wrapperSuffix(version), format: 'module', shortCircuit: true }
  }
  try {
    return asJson(next(id, context), context)
  } catch (error) {
    if (!isMissing(error, id)) throw error
    try {
      return asJson(next(id, { ...context, parentURL: fallbackUrl }), context)
    } catch (second) {
      throw isMissing(second, id) ? error : second
    }
  }
}

/**
 * Tell whether `require.resolve` calls the hook, not `require`. Node gives the format of its built-in modules only when they are loaded.
 *
 * Source: Node 24.21, lib/internal/modules/cjs/loader.js, `resolveForCJSWithHooks`.
 */
function isOnlyResolved(context: ResolveHookContext, next: Next): boolean {
  return next('node:fs', context).format !== 'builtin'
}

/** Load JSON as TypeScript does: without an import attribute, and a module exports its members, too. In Node, it has only a default export. */
function asJson(resolved: Resolved, { conditions }: ResolveHookContext): Resolved {
  if (pathOf(resolved.url)?.endsWith('.json') !== true) return resolved
  return conditions.includes('import')
    ? { ...resolved, format: 'module', importAttributes: {} }
    : { ...resolved, format: 'json', importAttributes: { type: 'json' } }
}

function builtInModule(
  id: string,
  builtIn: ReadonlyMap<string, object>,
): { format: string; source: string } {
  const names = Object.keys(builtIn.get(id) ?? {})
  const module = `globalThis[Symbol.for('community-lab.built-in')].get(${JSON.stringify(id)})`
  return {
    format: 'module',
    source: `const m = ${module}\nexport default m\nexport const { ${names.join(', ')} } = m\n`,
  }
}
