import { join } from 'node:path'
import ts from 'typescript'
import type { PathSettings } from './path-settings.ts'

/** The options of a `tsconfig.json` beside the notebook that apply to its cells. The kernel sets all other options. */
export type FolderSettings = Pick<
  ts.CompilerOptions,
  'experimentalDecorators' | 'emitDecoratorMetadata' | 'paths' | 'baseUrl'
> & {
  /** The folder of the file that sets `paths`, which may be one that the `tsconfig.json` extends. */
  readonly pathsBasePath?: string
}

/** Read the `tsconfig.json` of a folder. A file that cannot be read sets no options. */
export function readFolderSettings(folder: string): FolderSettings {
  const path = join(folder, 'tsconfig.json')
  if (!ts.sys.fileExists(path)) return {}
  const read = ts.readConfigFile(path, (of) => ts.sys.readFile(of))
  const config: unknown = read.config
  // The files of the folder are not needed.
  const host = { ...ts.sys, readDirectory: () => [] }
  const { options } = ts.parseJsonConfigFileContent(config ?? {}, host, folder)
  const { experimentalDecorators = false, emitDecoratorMetadata = false } = options
  const { paths, pathsBasePath, baseUrl } = options
  return {
    experimentalDecorators,
    emitDecoratorMetadata,
    ...(paths === undefined ? {} : { paths }),
    ...(typeof pathsBasePath === 'string' ? { pathsBasePath } : {}),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  }
}

/** Return the settings by which imports of own files are resolved; null when there are none. */
export function pathSettingsOf(
  { paths = {}, pathsBasePath, baseUrl }: FolderSettings,
  folder: string,
): PathSettings | null {
  if (Object.keys(paths).length === 0 && baseUrl === undefined) return null
  return { folder: baseUrl ?? pathsBasePath ?? folder, paths, base: baseUrl ?? null }
}
