import { statSync } from 'node:fs'
import { pathsFor, type PathSettings } from './path-settings.ts'

/**
 * The prefix of a module specifier whose default import is what TypeScript takes `import * as` of a JSON file for: the value of the file. A file with a member
 * `default` is a module for TypeScript: that has its members and, as `default`, its value.
 *
 * Which of them it is is decided when the module is loaded, because the file may change.
 */
export const wholeJsonScheme = 'whole-json:'

/** Tell whether a specifier in an own file names a JSON file, by its ending or by the `paths` of the notebook's `tsconfig.json`. */
export function isJson(specifier: string, paths: PathSettings | null): boolean {
  const found = pathsFor(specifier, paths).find(
    (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  )
  return (found ?? specifier).endsWith('.json')
}
