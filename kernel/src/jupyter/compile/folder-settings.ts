import { join } from 'node:path'
import ts from 'typescript'

/** The options of a `tsconfig.json` beside the notebook that apply to its cells. The kernel sets all other options. */
export type FolderSettings = Pick<
  ts.CompilerOptions,
  'experimentalDecorators' | 'emitDecoratorMetadata'
>

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
  return { experimentalDecorators, emitDecoratorMetadata }
}
