import ts from 'typescript'
import type { CompiledFile } from './compilation.ts'
import type { FolderSettings } from './folder-settings.ts'
import { takeWholeJson } from './json-imports.ts'
import type { PathSettings } from './path-settings.ts'
import { baseOptions, transpile } from './transpile.ts'

/** Options of {@link emitFile}. */
export interface EmitFileOptions {
  readonly settings: FolderSettings
  /** The paths by which the file may import own files; null when there are none. */
  readonly paths: PathSettings | null
  /** A transformation of the file before it is emitted. */
  readonly change?: ts.TransformerFactory<ts.SourceFile>
}

/** Compile one of the notebook's own files to an ES module, or a `.cts` file to CommonJS. */
export function emitFile(
  path: string,
  source: string,
  { settings, paths, change }: EmitFileOptions,
): CompiledFile {
  const compilerOptions = {
    ...baseOptions,
    ...settings,
    module: path.endsWith('.cts') ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
    // The default import of a CommonJS module is `module.exports`, as for the check of types.
    esModuleInterop: true,
    verbatimModuleSyntax: false,
    jsx: ts.JsxEmit.React,
  }
  const transformers = { before: [change ?? [], takeWholeJson(path, paths)].flat() }
  const { js, map } = transpile(source, { fileName: path, compilerOptions, transformers })
  return { path, code: js, lineMap: map }
}
