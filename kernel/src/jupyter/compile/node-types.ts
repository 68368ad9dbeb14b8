import { builtinModules } from 'node:module'

/**
 * The modules of Node whose types are loaded when something first mentions them. They are a third of Node's types, and no global refers to them.
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

/** A line of Node's types that references one of their files. */
const part = /^\/\/\/ <reference path="([^"]+)" \/>$/gmu
const literals = /(["'`])(?:node:)?([\w/]+)\1/gu

/**
 * Makes TypeScript load only the types of Node that are needed. It knows the names of the other modules, for completion.
 *
 * Invariant: loaded types stay loaded. Each change of what is loaded changes {@link version}.
 */
export class NodeTypes {
  readonly #loaded = new Set<string>()

  /** The number of late modules that are loaded. */
  get version(): number {
    return this.#loaded.size
  }

  /** Tell whether this is the file that references Node's types. */
  isIndex(path: string): boolean {
    return path.endsWith('/@types/node/index.d.ts')
  }

  /** Load the types of a module if it is one of Node's. */
  need(specifier: string): void {
    const module = moduleOf(specifier.replace(/^node:/u, ''))
    if (lateModules.has(module)) this.#loaded.add(module)
  }

  /** Load the types of all modules whose names are strings in a text, because a cell may pass such a name to `process.getBuiltinModule`. */
  needNamed(text: string): void {
    for (const [, , name = ''] of text.matchAll(literals)) this.need(name)
  }

  /** Return the text of the index of Node's types without the files that are not needed. */
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

/** Return the first part of a module's name, or of the path of its types. */
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
