import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { CompiledFile } from '../compile/compilation.ts'
import type * as emission from '../compile/emit-file.ts'
import type * as folders from '../compile/folder-settings.ts'
import { siblingFile } from '../sibling-file.ts'

const require = createRequire(import.meta.url)

/**
 * Make JavaScript of one of the notebook's own TypeScript files in the process that runs cells. Those that cells name in their imports were compiled with the
 * cells. The path of this one was made when a cell ran, or stands in a `require`. Its types are not checked.
 *
 * TypeScript is loaded for the first such file, which takes a tenth of a second.
 */
export function compileLate(path: string, folder: string): CompiledFile {
  // Node asks for a module's text without waiting. So these are required, not imported.
  const { emitFile } = load('../compile/emit-file') as typeof emission
  const { readFolderSettings } = load('../compile/folder-settings') as typeof folders
  try {
    const settings = readFolderSettings(folder)
    return emitFile(path, readFileSync(path, 'utf8'), { settings })
  } catch (error) {
    if (error instanceof Error && 'line' in error && 'column' in error)
      throw new SyntaxError(
        `${path}:${String(error.line)}:${String(error.column)} - ${error.message}`,
      )
    throw error
  }
}

function load(name: string): unknown {
  return require(fileURLToPath(siblingFile(import.meta.url, name)))
}
