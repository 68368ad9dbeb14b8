import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** The folder of TypeScript's declarations of JavaScript. Bundled TypeScript would look for it beside the bundle. */
export const javaScriptFolder = dirname(createRequire(import.meta.url).resolve('typescript'))

/** The file in it that references all others. */
export const javaScriptIndex = 'lib.esnext.d.ts'

/** The files that are loaded. The other files in the folder are for browsers. */
const loaded = /^lib\.(?:es\d|esnext|decorators)[^/]*\.d\.ts$/u
const reference = /^\/\/\/ <reference (?:lib="([^"]+)"|no-default-lib="true") ?\/>/gmu
/** A file that is a module can have declarations that are not global. */
const isModule = (text: string): boolean => /^export \{\s*\}/mu.test(text)

/**
 * Return the text of a file of JavaScript's declarations as if they were one file: the index has all of them, and the other files are empty, except those that
 * are modules. With eighty files, each cell takes half as long again, because TypeScript checks each file for each program and merges the parts of each type.
 * Returns undefined for any other file.
 */
export function readJavaScriptTypes(path: string): string | undefined {
  const name = path.slice(javaScriptFolder.length + 1)
  if (!loaded.test(name) || path !== join(javaScriptFolder, name)) return undefined
  if (name !== javaScriptIndex) {
    const text = read(name)
    return isModule(text) ? text : ''
  }
  const parts = new Map<string, string>()
  addParts(parts, name)
  const modules = [...parts].filter(([, text]) => isModule(text)).map(([key]) => key)
  const scripts = [...parts.values()].filter((text) => !isModule(text))
  return [
    '/// <reference no-default-lib="true"/>',
    ...modules.map((key) => `/// <reference lib="${key.slice('lib.'.length, -'.d.ts'.length)}" />`),
    ...scripts.map((text) => text.replaceAll(reference, '').replaceAll(/[^\0-\xff]/gu, latin1Of)),
  ].join('\n')
}

/** Add a file after those that it references. */
function addParts(parts: Map<string, string>, name: string): void {
  if (parts.has(name)) return
  const text = read(name)
  for (const [, other] of text.matchAll(reference))
    if (other !== undefined) addParts(parts, `lib.${other}.d.ts`)
  parts.set(name, text)
}

function read(name: string): string {
  return ts.sys.readFile(join(javaScriptFolder, name)) ?? ''
}

/** V8 needs twice the memory for a text with such characters, which occur in comments. */
const latin1 = new Map([
  ['\u2013', '-'],
  ['\u2014', '-'],
  ['\u2212', '-'],
  ['\u2019', "'"],
])

function latin1Of(character: string): string {
  return latin1.get(character) ?? ''
}
