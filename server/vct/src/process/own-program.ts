import { dirname, join } from 'node:path'

/**
 * The file of another program of this package, by its path from a module's folder and without extension. A module that is source starts sources, one that
 * is built starts bundles.
 */
export function ownProgram(module: string, path: string): string {
  return join(dirname(module), `${path}${module.endsWith('.ts') ? '.ts' : '.bundle.js'}`)
}
