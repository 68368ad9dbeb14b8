import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type * as TypeScript from '@tslab/typescript-for-tslab'
import { expect, it } from 'vitest'

const require = createRequire(import.meta.url)

it('compiles a notebook’s code under the TypeScript of the kernel, against what is published', () => {
  const ts = require('@tslab/typescript-for-tslab') as typeof TypeScript
  const file = fileURLToPath(new URL('./notebook/first-slice.ts', import.meta.url))
  const program = ts.createProgram([file], {
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    esModuleInterop: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
  })
  const found = ts.getPreEmitDiagnostics(program)
  const texts = found.map((one) => ts.flattenDiagnosticMessageText(one.messageText, '\n'))
  expect(ts.version).toMatch(/^5\.0\./u)
  expect(texts).toEqual([])
})
