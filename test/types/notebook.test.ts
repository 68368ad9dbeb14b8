import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as TypeScript from 'typescript'
import { expect, it } from 'vitest'
import { cellGlobals } from '../../kernel/src/jupyter/compile/cell-globals.ts'
import { typescriptVersion } from '../../kernel/src/jupyter/identity.ts'

const require = createRequire(import.meta.url)
const file = fileURLToPath(new URL('./notebook/first-slice.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The examples of the pages that tell how to write cells, each as a file that is nowhere. */
const examples = new Map(
  ['README.md', 'kernel/README.md', 'server/contract/README.md'].flatMap((page) =>
    [...readFileSync(path.join(root, page), 'utf8').matchAll(/^```ts\n(.*?)^```$/gmsu)].map(
      ([, code = ''], index) =>
        [path.join(root, 'kernel', `${page.replaceAll('/', '-')}-${index}.ts`), code] as const,
    ),
  ),
)

/** The module that only cells have. */
const [comms = ''] = /^declare module 'community-lab:jupyter' \{.*?^\}$/msu.exec(cellGlobals) ?? []
examples.set(path.join(root, 'kernel', 'comms.d.ts'), comms)

/** What a compiler has against some code. */
function complaintsOf(
  ts: typeof TypeScript,
  given: TypeScript.CompilerOptions,
  files: ReadonlyMap<string, string> = new Map(),
): string[] {
  const options = { ...given, noEmit: true, skipLibCheck: true, types: ['node'] }
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.readFile = (name) => files.get(name) ?? readFile(name)
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.getSourceFile = (name, target, ...rest) => {
    const text = files.get(name)
    return text === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, text, target)
  }
  const program = ts.createProgram([file, ...files.keys()], options, host)
  return ts.getPreEmitDiagnostics(program).map((one) => {
    const where = one.file === undefined ? '' : `${path.basename(one.file.fileName)}: `
    return where + ts.flattenDiagnosticMessageText(one.messageText, '\n')
  })
}

it('compiles a notebook’s code under the TypeScript of stock tslab, against what is published', () => {
  const ts = require('@tslab/typescript-for-tslab') as typeof TypeScript
  expect(ts.version).toMatch(/^5\.0\./u)
  expect(
    complaintsOf(ts, {
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Node10,
      esModuleInterop: true,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    }),
  ).toEqual([])
})

it('compiles it under the TypeScript of cells, strictly, and so each example of a README', () => {
  expect(examples.size).toBeGreaterThan(3)
  const ts = require('typescript') as typeof TypeScript
  expect(ts.version).toBe(typescriptVersion)
  expect(
    complaintsOf(
      ts,
      {
        strict: true,
        module: ts.ModuleKind.Preserve,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        target: ts.ScriptTarget.ES2024,
        lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
      },
      examples,
    ),
  ).toEqual([])
})
