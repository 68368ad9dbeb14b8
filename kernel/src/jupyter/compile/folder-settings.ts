import { join } from 'node:path'
import ts from 'typescript'

/** What of a `tsconfig.json` beside the notebook its cells follow. All else is the kernel's: cells have one set of options. */
export type FolderSettings = Pick<
  ts.CompilerOptions,
  'experimentalDecorators' | 'emitDecoratorMetadata'
>

/** Read the `tsconfig.json` of a folder; what cannot be read sets nothing. */
export function readFolderSettings(folder: string): FolderSettings {
  const path = join(folder, 'tsconfig.json')
  if (!ts.sys.fileExists(path)) return {}
  const read = ts.readConfigFile(path, (of) => ts.sys.readFile(of))
  const config: unknown = read.config
  // The folder's files are not asked for.
  const host = { ...ts.sys, readDirectory: () => [] }
  const { options } = ts.parseJsonConfigFileContent(config ?? {}, host, folder)
  const { experimentalDecorators = false, emitDecoratorMetadata = false } = options
  return { experimentalDecorators, emitDecoratorMetadata }
}
