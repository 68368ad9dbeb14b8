import { expect, it } from 'vitest'
import { readCell } from '../../../../../kernel/src/jupyter/compile/cell-text.ts'
import type { CompiledCell } from '../../../../../kernel/src/jupyter/compile/compilation.ts'
import { emitCell } from '../../../../../kernel/src/jupyter/compile/emit.ts'
import { findSource } from '../../../../../kernel/src/jupyter/compile/line-map.ts'

const cell = `import { sum, type Row } from 'rows'
let total: number = sum.of(
  1 as number,
)
function twice<T extends number>(row: Row, by: T = 2 as T): number { return (total! + row.at) * by }
const grow = async (rows: Row[]): Promise<void> => { await Promise.all(rows.map(twice)) }
var { one, two: [three = total] = [] }: any = {}
export class Grown { private total?: number; constructor(readonly at: number) { total += at } }
twice({ at: total }).toFixed()
throw new RangeError(\`\${grow.name}\`)`

function emit(code: string): Omit<CompiledCell, 'files' | 'paths'> {
  const options = { settings: {}, known: new Set<string>(), types: new Set<string>() }
  return emitCell(readCell(code), options).cell
}

/** Return the words of the compiled code whose positions in the cell have another word. */
function misplaced(
  { code, lineMap }: Omit<CompiledCell, 'files' | 'paths'>,
  source: string,
): string[] {
  const lines = source.split('\n')
  return code.split('\n').flatMap((line, index) =>
    [...line.matchAll(/(?<![$.\w"])[a-zA-Z]+/gu)].flatMap(({ 0: word, index: column }) => {
      const found = findSource(lineMap, index, column)
      const at = found === null ? null : lines[found.line]?.slice(found.column)
      return at == null || at.startsWith(word) ? [] : [`${word} is at ${at}`]
    }),
  )
}

it('maps each word of a cell to itself when only types are erased', () => {
  const erasable = cell.replace('constructor(readonly at', 'constructor(at')
  expect(readCell(erasable).javaScript).not.toBeNull()
  const added = /^(?:await|void|v|n|at) is at/u
  expect(misplaced(emit(erasable), erasable).filter((each) => !added.test(each))).toEqual([])
})

it('lets TypeScript compile what is more than types', () => {
  for (const code of [cell, 'enum A { B }', 'namespace A { export const b = 1 }'])
    expect(readCell(code).javaScript).toBeNull()
  expect(emit(cell).code).toContain('this.at = at')
})

it('does not erase the rest of a cell with a syntax error in a type', () => {
  expect(readCell('type Row = { at: number').javaScript).toBeNull()
  expect(() => emit('interface Row { at: number')).toThrow("'}' expected")
})
