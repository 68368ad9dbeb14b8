import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckedCells } from '../../../support/checked-cells.ts'

let folder: string
let cells: CheckedCells
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  cells = new CheckedCells(folder)
})
afterAll(() => rm(folder, { recursive: true }))

describe('after a thousand cells, each of which uses earlier ones', () => {
  it('TypeScript has as many files as after ten', () => {
    cells.clear()
    const add = (from: number, to: number): void => {
      for (let i = from; i < to; i += 1) {
        expect(
          cells.run(`const v${i} = ${i === 0 ? '[0.5]' : `v${i - 1}.map((x) => x + 1)`}`),
        ).toBe('')
        expect(
          cells.run(`function f${i}(x = 1) { return v${i}.map((v) => v * x) }\nf${i}(2)`),
        ).toBe('')
      }
    }
    add(0, 5)
    const after = cells.fileCount
    add(5, 500)
    expect(cells.fileCount).toBe(after)
    expect(cells.run('const wrong: string[] = v499')).toContain("Type 'number[]' is not assignable")
  })

  it('the first can be declared again with another type, and the last gets the resulting type', () => {
    expect(cells.run("const v0 = ['a']")).toMatch(/^v0 is now string\[\]|^cell \d+ no longer fits/u)
    expect(cells.run('const last: string[] = f499(1)')).toContain(
      "Type 'number[]' is not assignable",
    )
    expect(cells.run('const all: string[] = v499')).toBe('')
    expect(cells.run('const first: string[] = v0')).toBe('')
    expect(cells.run('let count = 0\ncount')).toBe('')
  })
})

describe('a name of an earlier cell', () => {
  const declarations = [
    'const x = 5',
    'const x = -5n',
    "const x = 'text'",
    'const x = true',
    'const x: 5 = 5',
    'let x: 5 | 6 = 5',
    'const x = Math.random() > 0.5 ? 1 : 2',
    'let x = Math.random() > 0.5',
    'let x: string | null = null',
    'const x: number | undefined = 5',
    'let x: number | boolean = 5',
    'const x = { a: 1, b: { c: [1, "two"], "d e": null }, f(y: number) { return y } }',
    "const x = { a: 1, b: 'two' } as const",
    'const x = [{ a: 1 }, { b: 2 }]',
    'const x: readonly [first: number, second?: string, ...rest: boolean[]] = [1]',
    "const x = new Map<string, Set<Date>>([['a', new Set()]])",
    'const x = Promise.resolve(new Uint8Array(1))',
    'const x = [1, 2].entries()',
    'const x: Record<string, Partial<{ a: number }>> = {}',
    'const x: Iterable<number> & { size: number } = new Set<number>()',
    'const x = { get a() { return 1 }, set b(value: number) {} }',
    'const x = function named(this: Date, y: number) { return y }',
    'function x(a: number, b = 2, ...c: readonly string[]) { return [a, b, c] as const }',
    'function x({ Map: m, b }: { Map: number; b?: Map<string, number> }) { return b?.get("Map") ?? m }',
    'function x(a: number): number\nfunction x(a: string): string\nfunction x(a: number | string): number | string { return a }',
    'function x<T>(a: T) { return [a] }',
    "function x(a: unknown): a is string { return typeof a === 'string' }",
    "function x(a: unknown): asserts a is string { if (typeof a !== 'string') throw new Error('no') }",
    'async function* x() { yield 1; return "end" }',
    'const x = async () => ({ at: new Date(), error: new Error("none") })',
    'const x = Symbol("one")',
    'const x = () => Symbol.iterator',
    'const x = (y: `n${number}`) => y',
    'const x = (y: NodeJS.Timeout, z: URL, b: Buffer) => [y, z, b]',
    'const x = class { a = 1 }',
    'const x = (() => { class Map { own = 1 }; return new Map() })()',
    'const x = (() => { interface List { next: List | null }; return null as List | null })()',
    'const x = { [Symbol.iterator]: function* () { yield 1 } }',
    'let x: { [key: string]: number; [key: number]: 5 } = {}',
    'const x = JSON.parse("{}")',
    'const x = { a: JSON.parse("{}"), b: 1 as unknown, c: undefined, d: null as never }',
    'const { a: x, ...rest } = { a: 1, b: "two" }',
    'const x = [1, "two"].map((each) => each)',
    'const x: (new () => Date) | null = null',
    'const x: object = {}',
    'let x: keyof Date = "getDate"',
    'function x() {}\nx.count = 0',
  ]

  it.each(declarations)('has the same type as in its own cell: %s', (declaration) => {
    cells.clear()
    expect(cells.run(declaration)).toBe('')
    expect(cells.run('const between = 1\nbetween')).toBe('')
    const alone = declaration.replaceAll(/\bx\b/gu, 'here').replace('rest }', 'others }')
    // Inside a function, a variable has its declared type. A variable that is initialized with a literal gets the wider type.
    const look = `function look() {
      const same: Same<typeof x, typeof here> = true
      let wide = x
      let wideHere = here
      const sameWide: Same<typeof wide, typeof wideHere> = true
    }`
    const cell = `${alone}\n${look}`
    // Two unique symbols, or two classes, are never the same. Each can be assigned to itself.
    const isOwn = /Symbol\("one"\)|class/u.test(declaration)
    expect(cells.run(isOwn ? 'const same: typeof x = x' : cell)).toBe('')
  })

  it('keeps JavaScript’s own type in a cell that declares another type of that name', () => {
    cells.clear()
    cells.run("const known = new Map([['Map', 1]])")
    expect(cells.run('class Map { own = 1 }\nconst n: number | undefined = known.get("a")')).toBe(
      '',
    )
    expect(cells.run('const size: number = known.size\nconst own: number = new Map().own')).toBe('')
  })

  it('may get a type of the same name', () => {
    cells.clear()
    cells.run('let point = { x: 1 }')
    cells.run('const origin = { x: 0 }')
    cells.run('type point = typeof point\ninterface origin { y: number }')
    expect(cells.run('const p: point = point\nconst o: origin = { y: origin.x }\npoint = p')).toBe(
      '',
    )
  })

  it('cannot be assigned to when it is a function or a constant', () => {
    cells.clear()
    cells.run('const limit = 5\nfunction twice(x: number) { return 2 * x }')
    expect(cells.run('limit = 6')).toContain("'limit' because it is a constant of cell 2")
    expect(cells.run('twice = 6')).toContain("'twice' because it is a constant of cell 2")
  })
})

describe('a name that is declared again with another type', () => {
  it('changes the types of functions that use it, and of what the same cell derives from them', () => {
    cells.clear()
    cells.run('let rate = 1')
    cells.run('const read = () => rate')
    cells.run('const readAll = () => [read()]')
    cells.run("let rate = 'fast'\nconst now = readAll()")
    expect(
      cells.run('const a: string = read()\nconst b: string[] = readAll()\nconst c: string[] = now'),
    ).toBe('')
    cells.run('let rate = 2')
    expect(cells.run('const a: number = read()\nconst b: number[] = readAll()')).toBe('')
  })

  it('is reported for every cell with an error, however long ago it ran', () => {
    cells.clear()
    cells.run('let rate = 1')
    cells.run('const half = () => rate / 2')
    for (let i = 0; i < 100; i += 1) cells.run(`const other${i} = ${i}`)
    expect(cells.run("let rate = 'fast'")).toContain('cell 3 no longer fits, at 1:20')
    expect(cells.run("let rate = 'slow'")).toBe('')
    expect(cells.run('let rate = 2')).toBe('')
  })
})

describe('a cell that is run again unchanged', () => {
  it('needs no new program', () => {
    cells.clear()
    cells.run('let rate = 1')
    cells.run('rate + 1')
    const { program } = cells.checker
    for (let i = 0; i < 100; i += 1) expect(cells.run('rate + 1')).toBe('')
    expect(cells.checker.program).toBe(program)
  })
})
