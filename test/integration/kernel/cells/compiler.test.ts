import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CompilationInterrupted,
  Compiler,
} from '../../../../kernel/src/jupyter/compile/compiler.ts'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Make a cell whose check takes a third of a second, and 200 MiB, for each variable. */
function slowCell(variables: number): string {
  const long =
    "type Long<T, N extends unknown[] = []> = N['length'] extends 900 ? N['length'] : Long<T, [...N, T]>"
  return [
    long,
    ...Array.from({ length: variables }, (_, i) => `const long${i}: Long<${i}> = 900`),
  ].join('\n')
}

describe('a slow compilation', () => {
  it('ends at once when it is interrupted, and the next cell has all variables', async () => {
    await session.print(
      'let kept = 41\nconst readKept = () => kept\nimport { join } from "node:path"',
    )
    const slow = session.run(slowCell(60))
    // The call that waits behind it is answered.
    const next = session.compiler.isComplete('1')
    await new Promise(setImmediate)
    session.compiler.interrupt()
    await expect(slow).rejects.toThrow(CompilationInterrupted)
    expect(await session.print("kept += 1\nconsole.log(readKept(), join('a', 'b'))")).toBe('42 a/b')
    expect(await next).toEqual({ status: 'complete' })
    expect(await session.print('const after: number = kept\nconsole.log(after)')).toBe('42')
  })
})

describe('a cell that is interrupted while it is compiled', () => {
  it('leaves no global declaration of its own in force', async () => {
    await session.print('declare global { var shared: number }\nglobalThis.shared = 5')
    const code = 'declare global { var shared: string; var unshared: string }'
    const source = { number: 600, name: 'cell-600.ts', code }
    const interrupted = session.compiler.compile(source)
    session.compiler.interrupt()
    await expect(interrupted).rejects.toThrow(CompilationInterrupted)
    expect(await session.print('const still: number = shared\nconsole.log(still)')).toBe('5')
    expect((await session.run('unshared')).complaint).toContain("Cannot find name 'unshared'")
  })
})

describe('a file that a cell imports', () => {
  it('is loaded by the next cell when the first was interrupted before it ran', async () => {
    await writeFile(join(session.folder, 'kinds.ts'), 'export enum Kind { Cut = 7 }\n')
    const cell = "import { Kind } from './kinds.ts'\nconsole.log(Kind.Cut)"
    const first = session.compiler.compile({ number: 500, name: 'cell-500.ts', code: cell })
    session.compiler.interrupt()
    await expect(first).rejects.toThrow(CompilationInterrupted)
    expect(await session.print(cell)).toBe('7')
  })

  it('is loaded in its current version after the compiler thread has ended', async () => {
    await writeFile(join(session.folder, 'kinds.ts'), 'export enum Kind { Cut = 9, Sent }\n')
    const slow = session.run(slowCell(60))
    await new Promise(setImmediate)
    session.compiler.interrupt()
    await expect(slow).rejects.toThrow(CompilationInterrupted)
    expect(
      await session.print("import { Kind } from './kinds.ts'\nconsole.log(Kind.Cut, Kind.Sent)"),
    ).toBe('9 10')
  })
})

describe('a cell whose types need too much memory', () => {
  it('reports it, and the next cell has all variables', async () => {
    await expect(session.run(slowCell(60))).rejects.toThrow(
      'need more memory than the compiler has (1024 MiB)',
    )
    expect(await session.print('console.log(readKept())')).toBe('42')
  })
})

describe('a compiler thread that ends while a cell runs', () => {
  it('is replaced by one that knows the declarations of that cell', async () => {
    const code = 'const declared = { n: 3 }\ninterface Declared { n: number }'
    await session.compiler.compile({ number: 700, name: 'cell-700.ts', code })
    // Another call that does not end makes the thread end meanwhile.
    const slow = session.compiler.compile({ number: 701, name: 'cell-701.ts', code: slowCell(60) })
    await new Promise(setImmediate)
    session.compiler.interrupt()
    await expect(slow).rejects.toThrow(CompilationInterrupted)
    await session.compiler.accept(700, Infinity)
    const use = await session.run('const read: Declared = declared\nconst wrong: string = read.n')
    expect(use.complaint).toMatch(/^cell-\d+\.ts:2:7 - Type 'number' is not assignable[^\n]*$/u)
  })
})

describe('a compiler thread that is replaced', () => {
  it('compiles only the cells that later cells need', async () => {
    await using own = await CellSession.start()
    await own.print('interface Row { n: number }\nlet total = 0')
    await own.print('const add = (row: Row) => { total += row.n }')
    // The second run of each imports the names of the first.
    for (let i = 0; i < 100; i += 1) await own.print(`const again = { n: ${i} }\nadd(again)`)
    expect(own.compiler.remembered).toBeLessThan(60)
    const slow = own.run(slowCell(60))
    await new Promise(setImmediate)
    own.compiler.interrupt()
    await expect(slow).rejects.toThrow(CompilationInterrupted)
    expect(await own.print('add({ n: 50 })\nconsole.log(total, again.n)')).toBe('5000 99')
  })

  it('knows the cells whose names another cell has declared again', async () => {
    await using own = await CellSession.start()
    await own.print('let start = 1')
    await own.print('const read = () => start')
    await own.run("let start = 'now'")
    for (let i = 0; i < 70; i += 1) await own.print(`const again = ${i}`)
    expect(own.compiler.remembered).toBeLessThan(60)
    const slow = own.run(slowCell(60))
    await new Promise(setImmediate)
    own.compiler.interrupt()
    await expect(slow).rejects.toThrow(CompilationInterrupted)
    expect(await own.print('const text: string = read()\nconsole.log(text, again)')).toBe('now 69')
  })
})

describe('a cell that is nested too deeply for the compiler', () => {
  it('reports it, and the next cell works', async () => {
    const deep = `${'('.repeat(50_000)}1${')'.repeat(50_000)}`
    await expect(session.run(deep)).rejects.toThrow('Maximum call stack size exceeded')
    expect(await session.print('console.log(readKept())')).toBe('42')
  })
})

describe('many cells', () => {
  it('keep the names of all of them', async () => {
    await session.print('const first = { n: 1 }\ninterface First { n: number }')
    for (let i = 0; i < 200; i += 1)
      await session.print(`const last: First = { n: ${i} }\nfunction of${i % 10}() { return last }`)
    expect(await session.print('console.log(first.n, last.n, of1().n, kept)')).toBe('1 199 199 42')
  })
})

describe('a compiler that cannot start', () => {
  it('reports why, and is not started again for ever', async () => {
    await using place = await CellSession.start()
    // The path is not a text, so the thread fails when it starts.
    const options = Object.assign({ folder: place.folder, fallbackFile: '' }, { fallbackFile: 5 })
    const compiler = new Compiler(options)
    const ask = (): Promise<unknown> =>
      compiler.compile({ number: 1, name: 'cell-1.ts', code: '1' })
    await expect(ask()).rejects.toThrow('the thread that compiles cells has ended')
    await compiler.ended
    await expect(ask()).rejects.toThrow('the thread that compiles cells has ended')
  })
})

describe('a cell after which earlier cells are checked for a long time', () => {
  it('ends at once when it is interrupted, and its declarations are known', async () => {
    await using own = await CellSession.start()
    await own.print('let base = 900')
    await own.print(
      "type Far<T, N extends unknown[] = []> = N['length'] extends 900 ? N['length'] : Far<T, [...N, T]>\ntype Deep<T> = T extends string ? Far<[T, 0]> : 0\nconst far = (x: Deep<typeof base>) => x",
    )
    const { number, reached } = { number: 1_000, reached: Infinity }
    await own.compiler.compile({ number, name: 'cell-1000.ts', code: "let base = 'text'" })
    const accepted = own.compiler.accept(number, reached)
    own.compiler.interrupt()
    await expect(accepted).rejects.toThrow(CompilationInterrupted)
    expect(await own.run('base.length')).toMatchObject({ complaint: null })
    expect((await own.run('const n: number = base')).complaint).toContain(
      "Type 'string' is not assignable",
    )
  })
})
