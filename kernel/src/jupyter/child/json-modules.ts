import { readFileSync } from 'node:fs'
import { pathOf } from './specifier.ts'

/** The suffix of the URL of a module whose default export is the whole of a JSON file, see {@link wholeJsonScheme}. */
export const wholeSuffix = (version: number): string => `.$v${version}.whole.mjs`

/** Tell whether a URL is that of the whole of a JSON file. */
export function isWhole(url: string | undefined): boolean {
  return url?.endsWith('.whole.mjs') === true
}

/** Return the path of a JSON file, and the URL of its module, of which this is the URL of the whole, see {@link wholeSuffix}; null for other URLs. */
export function wholeJsonOf(url: string): { readonly path: string; readonly url: string } | null {
  const [, start, version] = /^(file:.*\.json)\.\$v(\d+)\.whole\.mjs$/u.exec(url) ?? []
  const path = pathOf(start)
  if (start === undefined || path === null) return null
  // The JSON of packages has no version.
  return { path, url: version === '0' ? start : `${start}?v=${version}` }
}

/** Write a module whose default export is the whole of a JSON file, see {@link wholeJsonScheme}. */
export function writeWholeJson({
  path,
  url,
}: {
  readonly path: string
  readonly url: string
}): string {
  const { value } = readJson(path, path)
  const isModule = isObject(value) && Object.hasOwn(value, 'default')
  return [
    `import ${isModule ? '* as whole' : 'whole'} from ${JSON.stringify(url)}`,
    'export default whole',
    "export { whole as 'module.exports' }",
  ].join('\n')
}

/** Write a module that exports the value of a JSON file, and its members if the value is an object. */
export function writeJsonModule(path: string): string {
  const { text, value } = readJson(path, path)
  // `export { x as "a name" }` allows any name that is well-formed Unicode.
  const names = isObject(value)
    ? Object.keys(value).filter((name) => name !== 'default' && name.isWellFormed())
    : []
  const bindings = names.map((name, index) => `[${JSON.stringify(name)}]: m${index}`)
  const exports = names.map((name, index) => `m${index} as ${JSON.stringify(name)}`)
  return [
    `const value = JSON.parse(${JSON.stringify(text)})`,
    'export default value',
    `const { ${bindings.join(', ')} } = value ?? {}`,
    `export { ${exports.join(', ')} }`,
  ].join('\n')
}

/**
 * Read a JSON file. Node ignores a byte order mark, which programs of Windows write.
 *
 * @throws SyntaxError that names the file.
 */
function readJson(path: string, name: string): { readonly text: string; readonly value: unknown } {
  const text = readFileSync(path, 'utf8').replace(/^\uFEFF/u, '')
  try {
    return { text, value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) error.message = `${name}: ${error.message}`
    throw error
  }
}

/** Tell whether the value of a JSON file is an object, not a list. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The export with the value that `import * as` gives of a JSON file. */
export const wholeValue = Symbol('whole value')

/**
 * Make the module of a JSON file. It is what TypeScript takes it for: the value itself for `import * as`, its members and `default` for `import()`. A list also
 * has its members then. A file that has a member `default` gives both of them the members and, as `default`, its value.
 */
export function jsonModule(path: string, name: string): object {
  const { value } = readJson(path, name)
  const module = moduleOf(value)
  const isWhole = !isObject(value) || !Object.hasOwn(value, 'default')
  Object.defineProperty(module, wholeValue, { value: isWhole ? value : module })
  return module
}

function moduleOf(value: unknown): object {
  if (isObject(value)) return { ...value, default: value }
  const members: object = Array.isArray(value) ? [...(value as unknown[])] : {}
  return Object.defineProperty(members, 'default', { value })
}
