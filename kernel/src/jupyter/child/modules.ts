import { createRequire } from 'node:module'
import { dirname, extname, isAbsolute, join } from 'node:path'
import { compileFunction } from 'node:vm'

/** What cells import: packages, and the notebook's own files as TypeScript made them. */
export interface Modules {
  /** The `require` of cells. */
  readonly require: (id: string) => unknown
  /** Take files that were compiled anew; they are loaded when they are next imported. */
  update(files: readonly { readonly path: string; readonly code: string }[]): void
}

/** What {@link createModules} needs. */
export interface ModulesOptions {
  /** The notebook's folder, in which its imports are looked for first. */
  readonly folder: string
  /** A file beside which packages are looked for that the notebook's folder lacks. */
  readonly fallbackFile: string
  /** Modules that exist here alone. */
  readonly builtIn: ReadonlyMap<string, unknown>
}

/** Create the loader of a notebook's imports. */
export function createModules({ folder, fallbackFile, builtIn }: ModulesOptions): Modules {
  const sources = new Map<string, string>()
  const loaded = new Map<string, { exports: unknown }>()
  const fallback = createRequire(fallbackFile)

  const requireFrom = (directory: string): ((id: string) => unknown) => {
    const own = createRequire(join(directory, 'cell.js'))
    return (id) => {
      if (builtIn.has(id)) return builtIn.get(id)
      const file = isPath(id) ? loadFile(id.startsWith('.') ? join(directory, id) : id) : null
      if (file !== null) return file.exports
      return (isPath(id) || canResolve(own, id) ? own : fallback)(id) as unknown
    }
  }
  const loadFile = (path: string): { exports: unknown } | null => {
    const name = extname(path) === '' || !sources.has(path) ? `${path}.js` : path
    const known = loaded.get(name) ?? loaded.get(path)
    if (known !== undefined) return known
    const code = sources.get(name)
    if (code === undefined) return null
    const module = { exports: {} }
    // Before it runs: files may import each other in a circle.
    loaded.set(name, module)
    const parameters = ['exports', 'require', 'module', '__filename', '__dirname']
    const run = compileFunction(code, parameters, { filename: name }) as (...of: unknown[]) => void
    try {
      run(module.exports, requireFrom(dirname(name)), module, name, dirname(name))
    } catch (error) {
      loaded.delete(name)
      throw error
    }
    return module
  }

  return {
    require: requireFrom(folder),
    update(files) {
      // A file that changed is seen anew by those that import it too.
      if (files.length > 0) loaded.clear()
      for (const { path, code } of files) sources.set(path, code)
    },
  }
}

function isPath(id: string): boolean {
  return id.startsWith('./') || id.startsWith('../') || id === '.' || id === '..' || isAbsolute(id)
}

function canResolve(own: NodeJS.Require, id: string): boolean {
  try {
    own.resolve(id)
    return true
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null
    // Any other reason (a path that the package does not export) is for the user to see.
    return code !== 'MODULE_NOT_FOUND'
  }
}
