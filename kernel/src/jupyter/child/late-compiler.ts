import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { CompiledFile } from '../compile/compilation.ts'
import type * as emission from '../compile/emit-file.ts'
import type * as folders from '../compile/folder-settings.ts'
import { siblingFile } from '../sibling-file.ts'

const require = createRequire(import.meta.url)

/**
 * Compile one of the notebook's own files to JavaScript in the process that runs cells. Files that are named in a cell's imports were compiled with
 * the cell. This file was not, because its path was computed at run time or is in a `require`. Its types are not checked.
 *
 * The first such file loads TypeScript, which takes 0.1 s.
 */
export function compileLate(path: string, folder: string): CompiledFile {
  // Node asks for the text of a module synchronously, so these are loaded by `require`.
  const { emitFile } = load('../compile/emit-file') as typeof emission
  const { readFolderSettings, pathSettingsOf } = load(
    '../compile/folder-settings',
  ) as typeof folders
  try {
    const settings = readFolderSettings(folder)
    return emitFile(path, readFileSync(path, 'utf8'), {
      settings,
      paths: pathSettingsOf(settings, folder),
    })
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
