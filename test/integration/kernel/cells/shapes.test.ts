import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Each is a program, cut into cells, and its output. As one script it has the same output. */
const programs: readonly (readonly [name: string, cells: readonly string[], printed: string])[] = [
  [
    'a generator that is asked in a later cell',
    [
      'function* count(n: number): Generator<number, void, number> { let got = yield 0; for (let i = 0; i < n; i++) got = yield i + (got ?? 0) }\nconst from = count(3)',
      'console.log(from.next().value, from.next(5).value, from.next(1).value, from.next().done)',
    ],
    '0 5 2 false',
  ],
  [
    'an asynchronous iteration into a variable',
    [
      'async function* ticks() { for (let i = 0; i < 3; i++) { await null; yield i } }\nlet tick = 9',
      'let sum = 0\nfor await (const t of ticks()) sum += t\nfor await (tick of ticks());',
      'console.log(sum, tick)',
    ],
    '3 2',
  ],
  [
    'loops with labels',
    [
      'const out: string[] = []\nouter: for (let i = 0; i < 3; i++) { for (let j = 0; j < 3; j++) { if (j === 1) continue outer; if (i === 2) break outer; out.push(`${i}${j}`) } }',
      'lab: for (var q = 0; q < 5; q++) { if (q === 3) break lab }',
      'console.log(out.join(), q)',
    ],
    '00,10 3',
  ],
  [
    'a switch that falls through and declares',
    [
      "const pick = (n: number) => { switch (n) { case 1: { let a = 'one'; return a } default: function inner() { return 'other' } return inner() } }",
      "switch (pick(2)) { case 'other': var hoisted = 1; case 'fall': console.log('fell'); break; default: console.log('no') }",
      'console.log(pick(1), hoisted)',
    ],
    'fell\none 1',
  ],
  [
    'functions made in loops',
    [
      'const made: (() => number)[] = []\nfor (let i = 0; i < 3; i++) made.push(() => i)\nfor (var v = 0; v < 3; v++) made.push(() => v)',
      'console.log(made.map((f) => f()).join())\nv = 10',
      'console.log(made.map((f) => f()).join())',
    ],
    '0,1,2,3,3,3\n0,1,2,10,10,10',
  ],
  [
    'private names of a class of an earlier cell',
    [
      'class Held { #n = 42; static has(o: object) { return #n in o } get() { return this.#n } static #s = 1; static s() { return Held.#s++ } }',
      'class Sub extends Held { #n = 1; both() { return [this.#n, this.get()] } }\nconsole.log(new Sub().both(), Held.has(new Sub()), Held.has({}), Held.s(), Held.s())',
    ],
    '[ 1, 42 ] true false 1 2',
  ],
  [
    'names that are words elsewhere',
    [
      'const of = 1, async = 2, get = 3, type = 4, as = 5, declare = 6, namespace = 7, using = 8, accessor = 9, any = 10, string = 11, module = 12, exports = 13, it = 14',
      'console.log(of + async + get + type + as + declare + namespace + using + accessor + any + string + module + exports + it)',
    ],
    '105',
  ],
  [
    'names that all objects have',
    [
      'const constructor = 1, hasOwnProperty = 2, valueOf = 3, __proto__ = 4, v = 5',
      'console.log(constructor + hasOwnProperty + valueOf + __proto__ + v, Object.keys({ __proto__, v }).join())',
    ],
    '15 __proto__,v',
  ],
  [
    'names with escapes, and of other scripts',
    [
      'const \\u0061bc = 3, été = 1, 变量 = 2, 𝓐 = 4',
      'console.log(abc, \\u{61}bc, { \\u0061bc }, été + 变量 + 𝓐)',
    ],
    '3 3 { abc: 3 } 7',
  ],
  [
    'a console of the cells’ own',
    [
      "const kept = globalThis.console\nconst console = { log: (...of: unknown[]) => kept.log('mine', ...of) }\nconsole.log(1)",
      'console.log(2)\nconst written = kept',
    ],
    'mine 1\nmine 2',
  ],
  [
    'an interpreter’s line and a byte order mark',
    ['#!/usr/bin/env node\nglobalThis.console.log(1)', '\uFEFFglobalThis.console.log(2)'],
    '1\n2',
  ],
]

describe('a program cut into cells', () => {
  it.for(programs)('does the same as one script: %s', async ([, cells, printed]) => {
    session.forget()
    const found: string[] = []
    for (const cell of cells) found.push(await session.print(cell))
    expect(found.filter((each) => each !== '').join('\n')).toBe(printed)
  })

  it.for([
    [
      'a computed name',
      'const k = "a"\nconst { [k]: a, ["b" + 1]: b = 9, ...rest } = { a: 1, c: 3 } as Record<string, number>',
      'let p = 0\n;({ [k]: p = 7 } = {} as Record<string, number>)\nconsole.log(a, b, rest, p)',
      '1 9 { c: 3 } 7',
    ],
    [
      'holes',
      'const [, second, , fourth = 4, ...others] = [1, 2, 3, undefined, 5, 6]',
      'let [x, y] = [1, 2]\n;[x, y] = [y, x]\nconsole.log(second, fourth, others, x, y)',
      '2 4 [ 5, 6 ] 2 1',
    ],
    [
      'members and parts as the targets of loops',
      'let n = 1, at = { key: "" }',
      'for ({ length: n } of ["abc"]);\nfor (at.key in { k: 1 });\nconsole.log(n, at)',
      "3 { key: 'k' }",
    ],
    [
      'values that are awaited',
      'const { aw = await Promise.resolve(3) } = {} as { aw?: number }\nconst [ax = await 4] = [] as number[]',
      'console.log(aw, ax)',
      '3 4',
    ],
  ] as const)(
    'does the same as one script for a pattern with %s',
    async ([, declares, uses, printed]) => {
      session.forget()
      await session.print(declares)
      expect(await session.print(uses)).toBe(printed)
    },
  )
})

describe('export = ', () => {
  it('is evaluated and exports nothing', async () => {
    session.forget()
    await session.print('const value = { a: 1 }\nexport = value')
    expect(await session.print('console.log(value.a)')).toBe('1')
  })
})

describe('a constant that is null or a literal', () => {
  it('is narrowed inside functions of later cells, and what is derived from it has the wider type', async () => {
    session.forget()
    await session.print(
      "const word = Math.random() > 2 ? null : 'lit'\nconst found = Math.random() > 2 ? undefined : 5\nconst row = Math.random() > 2 ? false : { a: 1 }",
    )
    expect(
      await session.print(
        "if (word !== null) console.log([1].map(() => word.length))\nif (found !== undefined) console.log([1].map(() => found.toFixed(1)))\nif (row) console.log([1].map(() => row.a))\nlet copy = word\ncopy = 'other'\nconsole.log(copy)",
      ),
    ).toBe("[ 3 ]\n[ '5.0' ]\n[ 1 ]\nother")
    expect((await session.run('found = 6')).complaint).toContain('it is a constant of cell')
  })
})

describe('a type that is declared again', () => {
  it('leaves the value of the same name', async () => {
    session.forget()
    await session.print('type Point = { x: number }\nconst Point = (x: number) => ({ x })')
    await session.print('class Held { n = 1 }')
    await session.print(
      'type Point = { y: number }\ninterface Held { y: number }\nconsole.log(Point(1).x)',
    )
    expect(
      await session.print(
        'const at: Point = { y: 2 }, held: Held = at\nconsole.log(held.y, Point(3).x, new Held().n)',
      ),
    ).toBe('2 3 1')
  })
})

describe('a text for other kernels', () => {
  it('is refused with an explanation', async () => {
    session.forget()
    expect((await session.run('const el = 1\nconst shown = <div>{el}</div>')).complaint).toMatch(
      /^cell-\d+\.ts:2:15 - Cells are TypeScript without JSX\. Write it in a file that ends in \.tsx/u,
    )
    expect((await session.run('const less = 1 <')).complaint).toContain('Expression expected')
  })

  it('gets no advice for other environments', async () => {
    session.forget()
    await session.run("const it = 'text' as number")
    expect((await session.run('it.next()')).complaint).toMatch(
      /Cannot find name 'it'\. \(TS2593\)\n {2}Cell \d+, which declares it, did not run because of its errors\.$/u,
    )
    const old = await session.run(
      'const old = (of: object, key: string) => {}\nclass Old { @old m() {} }',
    )
    expect(old.complaint).toContain('Decorators are those of the standard.')
  })
})
