import { builtinModules } from 'node:module'

/**
 * The modules of Node whose types are loaded once something mentions them. No global's type has to do with them, and they are a third of Node's types.
 *
 * Source: @types/node 24.10.
 */
const lateModules: ReadonlySet<string> = new Set([
  'cluster',
  'http2',
  'https',
  'inspector',
  'repl',
  'sqlite',
  'test',
  'zlib',
])

/** The line of Node's types that loads a part of them. */
const part = /^\/\/\/ <reference path="([^"]+)" \/>$/gmu
const literals = /(["'`])(?:node:)?([\w/]+)\1/gu

/**
 * Has TypeScript load the types of Node that are needed. Of the other modules it knows the names, for completion.
 *
 * Invariant: what was loaded stays loaded. Each change of what is loaded changes {@link version}.
 */
export class NodeTypes {
  readonly #loaded = new Set<string>()

  /** How many of the late modules are loaded. */
  get version(): number {
    return this.#loaded.size
  }

  /** Whether this is the file that loads Node's types. */
  isIndex(path: string): boolean {
    return path.endsWith('/@types/node/index.d.ts')
  }

  /** Have the types of a module loaded, if it is one of Node's. */
  need(specifier: string): void {
    const module = moduleOf(specifier.replace(/^node:/u, ''))
    if (lateModules.has(module)) this.#loaded.add(module)
  }

  /** Have the types of all modules loaded whose names are strings in a text: a cell may pass one to `process.getBuiltinModule`. */
  needNamed(text: string): void {
    for (const [, , name = ''] of text.matchAll(literals)) this.need(name)
  }

  /** The text of Node's types without the parts that are not needed. */
  withoutUnneeded(index: string): string {
    const missing = new Set<string>()
    const kept = index.replaceAll(part, (line, path: string) => {
      const module = moduleOf(path)
      if (!lateModules.has(module) || this.#loaded.has(module)) return line
      missing.add(module)
      return ''
    })
    return `${kept}\n${declareNames(missing)}`
  }
}

/** The first part of a module's name, or of the path of its types. */
function moduleOf(name: string): string {
  return name.split(/[./]/u)[0] ?? ''
}

function declareNames(modules: ReadonlySet<string>): string {
  return builtinModules
    .filter((name) => modules.has(moduleOf(name.replace(/^node:/u, ''))))
    .flatMap((name) => (name.startsWith('node:') ? [name] : [name, `node:${name}`]))
    .map((name) => `declare module '${name}'`)
    .join('\n')
}
