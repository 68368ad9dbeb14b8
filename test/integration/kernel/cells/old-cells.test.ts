import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckedCells } from '../../../support/checked-cells.ts'

let folder: string
let cells: CheckedCells
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  await writeFile(join(folder, 'own.ts'), 'export class Own { private at = 1 }\n')
  cells = new CheckedCells(folder)
})
afterAll(() => rm(folder, { recursive: true }))

let fillers = 0
/** Run so many cells with types of their own that those before them get old. */
function age(count = 100): void {
  for (let i = 0; i < count; i += 1) {
    fillers += 1
    expect(cells.run(`class Filler${fillers} { n = ${fillers} }`)).toBe('')
  }
}

describe('after hundreds of cells, each of which declares a class and an interface', () => {
  it('TypeScript has hardly more files than after a hundred', () => {
    cells.clear()
    const add = (from: number, to: number): void => {
      for (let i = from; i < to; i += 1) {
        const base = i < 9 ? '' : ` extends P${i % 9 === 0 ? 0 : i - 1 - (i % 3)}`
        const code = `class P${i}${base} { private own${i} = ${i} }\ninterface I${i} { at: P${i} }\nconst p${i}: I${i} = { at: new P${i}() }`
        expect(cells.run(code)).toBe('')
      }
    }
    add(0, 100)
    const after = cells.fileCount
    add(100, 400)
    expect(cells.fileCount).toBeLessThan(after + 8)
    expect(cells.run('const wrong: I3 = p4\nconst right: P0 = p399.at')).toContain(
      "Type 'I4' is not assignable to type 'I3'",
    )
  })
})

/** Declarations of `x` and `X`. Later cells need their modules. */
const declarations = [
  'class X { a = 1; #b = 2; private c = "c"; protected d?: Date; static e = [1]; get f() { return this.#b } }\nlet x = new X()',
  'class X<T extends object = Date> { constructor(readonly of: T, public n = 1) {} map<U>(f: (of: T) => U) { return [f(this.of)] } }\nconst x = new X({ a: 1 })',
  'abstract class X { abstract at: number; static make(): X { return new (class extends X { at = 1 })() } }\nconst x = X.make()',
  'interface X { next: X | null; [key: string]: unknown }\ninterface X { more: 1 }\nlet x: X = { next: null, more: 1 }',
  'type X = { a: number } | { b: X[] }\nconst x = [{ b: [] }] as readonly X[]',
  "type X = 'a' | 'b'\nconst x = (word: X) => word === 'a' ? word : null",
  'enum X { A, B = 5, C = "c".length }\nlet x = X.B',
  'const enum X { A = 1, B }\nconst x = X.A',
  'namespace X { export const n = 1; export type T = string[]; export namespace Y { export class Z { a = 1 } } }\nlet x: X.T | X.Y.Z = []',
  'class X {}\nconst x = <T extends X>(a: T, ...b: T[]): a is T & { more: 1 } => b.length > 0',
  'class X { self() { return this } }\nfunction x(a: X): X\nfunction x(a: string): string\nfunction x(a: X | string) { return a }',
  'type X<T> = T extends (infer U)[] ? X<U> : T\nlet x: X<number[][]> = 1',
  "import { Readable as X } from 'node:stream'\nconst x = X.from([1])",
  "import type { Server as X } from 'node:net'\nlet x: X | null = null",
  "import * as X from 'node:path'\nconst x = X.posix",
  'class X { a = 1 }\nconst { ...x } = new X()',
  'class X { a = 1 }\nconst x = new Map([[new X(), Promise.resolve(() => new X())]])',
  'class X {}\nconst x = Math.random() > 0.5 ? new X() : null',
  'interface X { a: number }\nlet x = { a: 1 } satisfies X',
  'class X { a = 1 }\nfunction x() { class Local extends X { b = 2 }; return new Local() }',
  'class X { a = 1 }\nconst rows = []\nrows.push(1)\nconst x = [new X()]',
  "import { Own as X } from './own.ts'\nconst x = new X()",
  'class X { a = 1 }\nexport default function x() { return new X() }',
  'class X { async *rows() { yield { at: new Date() } } }\nconst x = new X().rows()',
]

/** The same declarations under the names `x1` and `X1`. */
function named(code: string, name: string): string {
  return code
    .replaceAll(/\bx\b/gu, `x${name}`)
    .replaceAll(/\bX\b/gu, `X${name}`)
    .replaceAll(`X${name}")`, 'X")')
    .replace(/\brows\b(?=(?: =|\.push))/gu, `rows${name}`)
}

describe('a name of an old cell', () => {
  it('has the same type as when it was declared', () => {
    cells.clear()
    for (const [i, code] of declarations.entries()) expect(cells.run(named(code, `${i}`))).toBe('')
    for (const [i] of declarations.entries())
      expect(cells.run(`function use${i}() { return [x${i}] as const }`)).toBe('')
    const describe = (): string[] => {
      const texts = declarations.map((_, i) => cells.inspect(`x${i}`))
      // A class inside of a function has no name elsewhere, so its members are described.
      return texts.filter((_, i) => declarations[i]?.includes('class Local') !== true)
    }
    const young = describe()
    age()
    expect(describe()).toEqual(young)
    for (const [i] of declarations.entries())
      expect(
        cells.run(
          `function same${i}() { let wide = x${i}; const same: Same<ReturnType<typeof use${i}>[0], typeof x${i}> = true }`,
        ),
      ).toBe('')
  })

  it('keeps properties whose names are symbols', () => {
    cells.clear()
    cells.run("const key = Symbol('key')\nclass Keyed { [key] = 1 }")
    cells.run('const copy = () => [{ ...new Keyed() }]')
    cells.run('const copies = () => copy()')
    age()
    expect(cells.run('const n: number = copies()[0]![key]')).toBe('')
  })

  it('keeps its documentation', () => {
    cells.clear()
    cells.run(
      '/** A place in the network. */\nclass Place { \n  /** In metres. */\n  height = 1\n}\nlet place = new Place()',
    )
    age()
    expect(cells.inspect('new Place')).toContain('A place in the network.')
    expect(cells.inspect('place.height')).toContain('In metres.')
  })

  it('is named after its cell in messages', () => {
    cells.clear()
    cells.run('class Point { private x = 1 }\nconst first = new Point()')
    cells.run('class Point { private x = 1 }\nconst second = new Point()')
    age()
    expect(cells.run('let point = first\npoint = second')).toMatch(
      /Type '.*cell 3's Point' is not assignable to type '.*cell 2's Point'/u,
    )
    expect(cells.run('class Point { private x = 1 }\nconst third: Point = second')).toContain(
      "cell 3's Point",
    )
    expect(cells.run('first = second')).toContain("'first' because it is a constant of cell 2")
  })

  it('can be declared again, and cells that use it get the new type', () => {
    cells.clear()
    cells.run('class Rate { value = 1 }\nlet other = 1')
    cells.run('const make = () => new Rate()')
    cells.run('class Wrapped { of = make() }')
    age()
    expect(cells.run("class Rate { value = 'fast' }")).toBe('')
    expect(cells.run('const value: string = new Wrapped().of.value\nconst n: number = other')).toBe(
      '',
    )
    age()
    expect(cells.run('class Rate { private value = 2 }')).toBe('')
    expect(cells.run('const rate: Rate = new Wrapped().of')).toBe('')
    age()
    expect(cells.run('const again: Rate = make()')).toBe('')
  })

  it('is reported when it was declared again with a type that an old cell cannot use', () => {
    cells.clear()
    cells.run('let rate = 1\nclass Unit { n = 1 }')
    cells.run('class Half { get of() { return rate / 2 } }')
    age()
    expect(cells.run("let rate = 'fast'")).toContain('cell 3 no longer fits, at 1:32')
    expect(cells.run('let rate = 2\nconst unit: Unit = new Unit()')).toBe('')
    expect(cells.run('const half: number = new Half().of')).toBe('')
  })
})
