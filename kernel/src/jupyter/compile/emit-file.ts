import ts from 'typescript'
import type { CompiledFile } from './compilation.ts'
import type { FolderSettings } from './folder-settings.ts'
import { baseOptions, transpile } from './transpile.ts'

/** What the emission of a file has to know beyond its text. */
export interface EmitFileOptions {
  readonly settings: FolderSettings
  /** What is changed in the file first. */
  readonly change?: ts.TransformerFactory<ts.SourceFile>
}

/** Make JavaScript of one of the notebook's own TypeScript files: an ES module, or CommonJS of a `.cts` file. */
export function emitFile(
  path: string,
  source: string,
  { settings, change }: EmitFileOptions,
): CompiledFile {
  const compilerOptions = {
    ...baseOptions,
    ...settings,
    module: path.endsWith('.cts') ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
    verbatimModuleSyntax: false,
    jsx: ts.JsxEmit.React,
  }
  const transformers = { before: change === undefined ? [] : [change] }
  const { js, map } = transpile(source, { fileName: path, compilerOptions, transformers })
  return { path, code: js, lineMap: map }
}
