import ts from 'typescript'
import { expect, it } from 'vitest'
import { typeLargeValues } from '../../../../../kernel/src/jupyter/compile/large-values.ts'

/** The text that stands for a cell once it has run. */
function typed(source: string): string | null {
  const text = `import {} from './x';\n${source}`
  const file = ts.createSourceFile('cell.ts', text, ts.ScriptTarget.Latest, true)
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost({}),
    getSourceFile: (name) => (name === 'cell.ts' ? file : undefined),
  }
  const program = ts.createProgram(['cell.ts'], { noLib: true, strict: true }, host)
  return typeLargeValues(program, 'cell.ts', source)
}

const list = (count: number, write: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => write(index)).join(',\n')

it('has the type of rows in the place of thousands of rows, on as many lines', () => {
  const source = `const rows = [\n${list(3_000, (n) => `{ n: ${n}, of: "a" }`)}\n]\nconst after = rows`
  const found = typed(source)
  expect(found?.replaceAll('\n', '')).toMatch(
    /^const rows = \(null as unknown as .{1,80}\)const after = rows$/u,
  )
  expect(found?.split('\n').length).toBe(source.split('\n').length)
})

it('has the type of an object with thousands of names', () => {
  const source = `const rttOf = {\n${list(9_000, (n) => `node${n}: ${n}.5`)}\n}`
  const found = typed(source)
  expect(found).toMatch(/^const rttOf = \(null as unknown as \{ node0: number; node1: number;/u)
  expect(found).toContain('node8999: number;')
  expect(found).not.toContain('8999.5')
})

it('leaves alone what is small, has a type, or names something else', () => {
  expect(typed('const rows = [1, 2, 3]')).toBeNull()
  const rows = list(9_000, (n) => `${n}`)
  expect(typed(`const rows: number[] = [${rows}]`)).toBeNull()
  expect(typed(`let other = 1\nconst rows = [other, ${rows}]`)).toBeNull()
})
