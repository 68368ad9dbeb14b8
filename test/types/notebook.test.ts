import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type * as TypeScript from 'typescript'
import { expect, it } from 'vitest'
import { typescriptVersion } from '../../kernel/src/jupyter/identity.ts'

const require = createRequire(import.meta.url)
const file = fileURLToPath(new URL('./notebook/first-slice.ts', import.meta.url))

/** What a compiler has against the notebook's code. */
function complaintsOf(ts: typeof TypeScript, options: TypeScript.CompilerOptions): string[] {
  const program = ts.createProgram([file], {
    ...options,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  })
  return ts
    .getPreEmitDiagnostics(program)
    .map((one) => ts.flattenDiagnosticMessageText(one.messageText, '\n'))
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

it('compiles it under the TypeScript of cells, strictly', () => {
  const ts = require('typescript') as typeof TypeScript
  expect(ts.version).toBe(typescriptVersion)
  expect(
    complaintsOf(ts, {
      strict: true,
      module: ts.ModuleKind.Preserve,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      target: ts.ScriptTarget.ES2024,
      lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
    }),
  ).toEqual([])
})
