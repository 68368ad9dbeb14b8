import { dirname, join } from 'node:path'

/**
 * Return the file of another program of this package, by its path from a module's folder and without extension. Source modules start sources, and
 * built modules start bundles.
 */
export function ownProgram(module: string, path: string): string {
  return join(dirname(module), `${path}${module.endsWith('.ts') ? '.ts' : '.bundle.js'}`)
}
