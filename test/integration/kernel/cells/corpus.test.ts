import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'
import * as acorn from 'acorn'
import { analyze } from 'eslint-scope'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { readCell } from '../../../../kernel/src/jupyter/compile/cell-text.ts'
import { emitCell } from '../../../../kernel/src/jupyter/compile/emit.ts'
import { UncheckedCells } from '../../../support/cell-runs.ts'

const require = createRequire(import.meta.url)
const modules = dirname(dirname(require.resolve('typescript/package.json')))

/** Return the names that a text uses and does not declare. */
function freeNames(code: string): Set<string> {
  const program = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'module', ranges: true })
  const scopes = analyze(program as Parameters<typeof analyze>[0], {
    ecmaVersion: 2024,
    sourceType: 'module',
  })
  return new Set(scopes.globalScope?.through.map(({ identifier }) => identifier.name))
}

/** Return a text as TypeScript prints it, without exports. */
function plain(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2024,
      module: ts.ModuleKind.Preserve,
      moduleDetection: ts.ModuleDetectionKind.Force,
      verbatimModuleSyntax: true,
    },
  }).outputText
}

it.for([
  'acorn',
  'eslint-scope',
  '@observablehq/plot',
  'typebox',
  'd3-array',
  'd3-shape',
  'fast-check',
])(
  'published modules of %s become valid cells with the same lines and the same free names',
  (name) => {
    const files = globSync('**/*.{mjs,js}', { cwd: join(modules, name) })
      .map((file) => readFileSync(join(modules, name, file), 'utf8'))
      .filter((source) => /^(?:import|export)\b/mu.test(source) && source.length < 300_000)
      .slice(0, 60)
    expect(files.length).toBeGreaterThan(0)
    for (const source of files) {
      const text = readCell(source)
      const { cell } = emitCell(text, { settings: {}, known: new Set(), types: new Set() })
      new Script(cell.code)
      const written = plain(text.withoutExports)
      // There is one line before the text and one after it.
      const lines = (text.javaScript ?? written).split('\n').length + 2
      expect(cell.code.split('\n').length).toBe(lines)
      const names = new Set([...freeNames(written)].filter((each) => each !== 'require'))
      expect(freeNames(cell.code)).toEqual(names)
    }
  },
)

it('a parser cut into cells of one statement each parses itself into the same tree', async () => {
  const source = readFileSync(join(modules, 'acorn/dist/acorn.mjs'), 'utf8')
  const { body } = acorn.parse(source, { ecmaVersion: 'latest', sourceType: 'module' })
  // Functions of the parser use names that are declared below them.
  const cells = new UncheckedCells([...readCell(source).declared.keys()])
  for (const { start, end } of body) await cells.run(source.slice(start, end))
  expect(body.length).toBeGreaterThan(100)
  const run = (await cells.run(
    '(text) => JSON.stringify(parse(text, { ecmaVersion: "latest", sourceType: "module" }))',
  )) as (text: string) => string
  expect(
    run(source) ===
      JSON.stringify(acorn.parse(source, { ecmaVersion: 'latest', sourceType: 'module' })),
  ).toBe(true)
})
