import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

describe('names that one cell declares and others use', () => {
  it.for([
    [
      'an enum',
      "enum State { Before = 'before', Cut = 'cut' }\nconst enum Level { High = 3 }",
      'const now: State = State.Cut\nconsole.log(now, Level.High)',
      'cut 3',
    ],
    [
      'a namespace',
      'namespace Rtt { export const base = 20; export namespace Deep { export const x = 22 }; export interface Row { ms: number } }',
      'const row: Rtt.Row = { ms: Rtt.base + Rtt.Deep.x }\nconsole.log(row)',
      '{ ms: 42 }',
    ],
    [
      'members called get, set and static, without semicolons',
      'class Seen { set: Set<string>\n add(name: string) { this.set.add(name) }\n get?: number\n size() { return this.set.size }\n static?: 1\n made = 7\n constructor() { this.set = new Set() } }',
      "const seen = new Seen()\nseen.add('n1')\nconsole.log(seen.size(), seen.made)",
      '1 7',
    ],
    [
      'a computed name after an abstract method, without semicolons',
      "const text = 'abc'\nabstract class Named { name: unknown = text\n abstract read(): void\n ['length'] = 5 }",
      'class Read extends Named { read() {} }\nconst read = new Read()\nconsole.log(read.name, read.length)',
      'abc 5',
    ],
    [
      'exports that do not run, between lines without semicolons',
      'const list = [1, 2]\nexport type Row = number\n;[3].map(Number)\nconst same = list\nexport interface Of { x: 1 }\n[1].map(Number)\nconst third = list\nexport { same }\n[0].map(Number)',
      'console.log(list, same, third)',
      '[ 1, 2 ] [ 1, 2 ] [ 1, 2 ]',
    ],
    [
      'a namespace of types alone',
      'namespace Types { export interface Of { x: 1 } }',
      'const of: Types.Of = { x: 1 }\nconsole.log(of)',
      '{ x: 1 }',
    ],
    [
      'an abstract class',
      'abstract class Probe<T> { constructor(protected readonly rate: T) {} abstract read(): T }',
      'class Fixed extends Probe<number> { read() { return this.rate } }\nconsole.log(new Fixed(31).read(), Fixed.name)',
      '31 Fixed',
    ],
    [
      'private members and accessors',
      'class Held { #n = 1; static made = 0; get n() { return this.#n } set n(v) { this.#n = v; Held.made++ } static { Held.made = 5 } }',
      'const held = new Held(); held.n = 4\nconsole.log(held.n, Held.made)',
      '4 6',
    ],
    [
      'a decorated class',
      'const log = (old: (this: object) => string, { kind, name }: ClassMethodDecoratorContext) => function (this: object) { return `${kind} ${String(name)} ${old.call(this)}` }\nconst mark = (of: unknown, at: ClassDecoratorContext) => at.addInitializer(function () { Object.assign(this, { marked: at.name }) })\n@mark class Sends { static marked = ""; @log send() { return `send ${Sends.name}` } }',
      'console.log(new Sends().send(), Sends.marked)',
      'method send send Sends Sends',
    ],
    [
      'an abstract class with decorated members of each kind',
      'const seen: string[] = []\nconst see = (of: unknown, at: DecoratorContext) => void seen.push(`${at.kind} ${String(at.name)}`)\n@see abstract class Each { @see accessor level = 1; @see field = 2; @see get got() { return 3 } @see static #hidden() { return 4 } static shown = () => Each.#hidden(); abstract read(): number }',
      'class One extends Each { read() { return this.level + this.field + this.got + Each.shown() } }\nconsole.log(new One().read(), seen.length, seen.at(-1))',
      '10 5 class Each',
    ],
    [
      'an accessor field',
      'class Auto { accessor level = 2 }',
      'const auto = new Auto(); auto.level += 1\nconsole.log(auto.level)',
      '3',
    ],
    [
      'a generator',
      "function* states() { yield 'before'; yield 'cut' }\nasync function* late() { yield* states() }",
      'console.log([...states()].join()); for await (const each of late()) console.log(each)',
      'before,cut\nbefore\ncut',
    ],
    [
      'overloads',
      'function of(x: number): number\nfunction of(x: string): string\nfunction of(x: number | string) { return x }',
      "const n: number = of(1), s: string = of('s')\nconsole.log(n, s)",
      '1 s',
    ],
    [
      'a generic type',
      'type Pair<T> = readonly [T, T]\ninterface Box<T> { of: T }',
      "const pair: Pair<Box<string>> = [{ of: 'a' }, { of: 'b' }]\nconsole.log(pair[1].of)",
      'b',
    ],
    [
      'a type and a value of one name',
      'const Row = { make: (ms: number): Row => ({ ms }) }\ninterface Row { ms: number }',
      'const made: Row = Row.make(3)\nconsole.log(made)',
      '{ ms: 3 }',
    ],
    [
      'a class that extends and mixes in',
      'const Named = <T extends new (...a: any[]) => object>(Base: T) => class extends Base { name = "mixed"; private hidden = 1 }',
      'class Both extends Named(class { x = 1 }) {}\nconsole.log(new Both().name, new Both().x)',
      'mixed 1',
    ],
    [
      'functions with their names',
      'const arrow = () => 1, named = function () {}, Cls = class {}, kept = function other() {}\nlet late: unknown\nlate = () => 2',
      'console.log(arrow.name, named.name, Cls.name, kept.name, (late as () => void).name)',
      'arrow named Cls other late',
    ],
    [
      'an assertion function',
      'function check(x: unknown): asserts x is string { if (typeof x !== "string") throw new TypeError() }',
      'const maybe: unknown = "yes"\ncheck(maybe)\nconsole.log(maybe.length)',
      '3',
    ],
    [
      'a symbol as a key',
      "const key: unique symbol = Symbol('key')\nclass Keyed { [key] = 4 }",
      'console.log(new Keyed()[key])',
      '4',
    ],
    [
      'a bigint and a regular expression',
      'const big = 2n ** 64n, re = /(?<n>\\d+)/v',
      "console.log(big, re.exec('a12')?.groups?.n)",
      '18446744073709551616n 12',
    ],
    [
      'an import as another name',
      "import { join } from 'node:path'\nimport path = require('node:path')\nnamespace In { export const v = 8 }\nimport v = In.v",
      "console.log(join('a', 'b'), path.basename('/x/y'), v)",
      'a/b y 8',
    ],
  ] as const)('%s', async ([, declares, uses, expected]) => {
    await session.print(declares)
    await session.print('1')
    expect(await session.print(uses)).toBe(expected)
  })

  it('a literal keeps its type, and what is derived from it has the wider type', async () => {
    await session.print('const START = 1\nlet wide = 2')
    expect(
      await session.print(
        'let from = START\nfrom = 5\nconst one: 1 = START\nconsole.log(from, one)',
      ),
    ).toBe('5 1')
  })

  it('an empty array accepts any items later', async () => {
    await session.print('const rows = []\nlet latest\nrows.push(1)')
    expect(
      await session.print("rows.push('two'); latest = rows.length\nconsole.log(rows, latest)"),
    ).toBe("[ 1, 'two' ] 2")
  })

  it('a type with the name of an earlier value', async () => {
    await session.print("const Schema = { kind: 'row', ms: 3 } as const")
    await session.print('type Schema = typeof Schema')
    const cell = 'const schema: Schema = Schema\nconsole.log(schema.kind)'
    expect(await session.print(cell)).toBe('row')
  })

  it('a value with the name of an earlier type', async () => {
    await session.print('interface Point { x: number }')
    await session.print('const Point = { of: (x: number): Point => ({ x }) }')
    expect(await session.print('const point: Point = Point.of(4)\nconsole.log(point)')).toBe(
      '{ x: 4 }',
    )
  })

  it('declare global', async () => {
    await session.print(
      'declare global { interface Array<T> { last(): T | undefined } var lab: { n: number } }\nArray.prototype.last = function () { return this[this.length - 1] }\nglobalThis.lab = { n: 5 }',
    )
    await session.print('1')
    expect(await session.print('console.log([1, 2].last(), lab.n)')).toBe('2 5')
    await session.print(
      'declare global { var lab: { text: string } }\nglobalThis.lab = { text: "second" }',
    )
    expect(await session.print('console.log(lab.text)')).toBe('second')
  })

  it('declare global before a text that ends in a dollar sign', async () => {
    await session.print("declare global { var mark: number }\nconst dollar = '$', other = 1")
    await session.print('declare global { var mark: string }')
    const { complaint } = await session.run('const wrong: string = other')
    expect(complaint).toContain("Type 'number' is not assignable to type 'string'.")
  })

  it('declare creates no value', async () => {
    await session.print(
      'declare const elsewhere: { x: number }\n;(globalThis as any).elsewhere = { x: 6 }',
    )
    expect(await session.print('console.log(elsewhere.x)')).toBe('6')
  })
})

describe('export', () => {
  it('before a declaration has no effect', async () => {
    await session.print(
      'export const ex = 1\nexport let { a: exA } = { a: 2 }\nexport function exF() { return ex + exA }\nexport class ExC { v = 4 }\nexport enum ExE { X = 5 }\nexport interface ExI { v: number }\nexport type ExT = ExI\nexport namespace ExN { export const v = 6 }\nexport abstract class ExA2 {}\nexport async function exAsync() { return 7 }',
    )
    const uses =
      'const it: ExT = new ExC()\nconsole.log(ex, exA, exF(), it.v, ExE.X, ExN.v, await exAsync())'
    expect(await session.print(uses)).toBe('1 2 3 4 5 6 7')
  })

  it('of a default evaluates the expression, or declares the name', async () => {
    expect(await session.print("export default { v: console.log('evaluated') }")).toBe('evaluated')
    await session.print('export default function named() { return 9 }')
    expect(await session.print('console.log(named())\nexport default function () {}')).toBe('9')
  })

  it('of names, including those of earlier cells, has no effect', async () => {
    await session.print('let earlier = 3')
    expect(
      await session.print(
        'const own = 2\nexport { own, earlier as other }\nexport {}\nexport type { ExI }\nconsole.log(own, earlier)',
      ),
    ).toBe('2 3')
  })

  it('from another module loads that module', async () => {
    expect(
      await session.print(
        "export * from 'node:timers/promises'\nexport { sep } from 'node:path'\nconsole.log('loaded')",
      ),
    ).toBe('loaded')
  })
})

describe('using', () => {
  it('disposes of its value at the end of the cell', async () => {
    const cell =
      "const open = (name: string) => ({ name, isOpen: true, [Symbol.dispose]() { this.isOpen = false; console.log('closed', name) } })\nusing first = open('first')\n{ using inner = open('inner') }\nconsole.log(first.isOpen)"
    expect(await session.print(cell)).toBe('closed inner\ntrue\nclosed first')
    expect(await session.print('console.log(first.name, first.isOpen)')).toBe('first false')
  })

  it('works beside a variable whose name begins with a dollar sign', async () => {
    const cell =
      'const $own = 1\nusing own = { a: 2, [Symbol.dispose]() {} }\nconsole.log($own, own.a)'
    expect(await session.print(cell)).toBe('1 2')
  })

  it('works beside an accessor, and as a word in a comment', async () => {
    const cell =
      "class Held { accessor n = 1 }\nusing held = { [Symbol.dispose]() { console.log('closed') } }\nconsole.log(new Held().n, typeof held)"
    expect(await session.print(cell)).toBe('1 object\nclosed')
    expect(
      await session.print('// using it\nclass Kept { accessor n = 2 }\nconsole.log(new Kept().n)'),
    ).toBe('2')
  })

  it('works beside accessors and decorators in a cell that fails halfway, in every position', async () => {
    const { error } = await session.run(
      "const at = (of: unknown, { name }: ClassMemberDecoratorContext) => console.log(name)\nclass Reads { @at accessor n = 1 }\nusing first = { [Symbol.dispose]() { console.log('first') } }, second = { [Symbol.dispose]() { console.log('second') } }\nfor (using each of [{ [Symbol.dispose]() { console.log('each') } }]) void each\n{ await using inner = { async [Symbol.asyncDispose]() { console.log('inner') } } }\nconst before = new Reads().n\nthrow new Error('halfway')\nconst behind = 2",
    )
    expect(error).toBe('Error: halfway')
    expect(await session.print('console.log(before, typeof first, typeof second)')).toBe(
      '1 object object',
    )
    expect((await session.run('behind')).complaint).toContain(
      'which declares it, failed before it got there.',
    )
  })

  it('may be asynchronous', async () => {
    const cell =
      "await using slow = { async [Symbol.asyncDispose]() { await null; console.log('closed') } }\nconsole.log(typeof slow)"
    expect(await session.print(cell)).toBe('object\nclosed')
  })
})

describe('the result', () => {
  it.for([
    ['an expression at the end', 'const x1 = 2\nx1 * 3 // with a comment', '6'],
    ['one in parentheses', '({ a: 1 })', '{ a: 1 }'],
    ['an assignment', 'let x2 = 0\nx2 = 5', '5'],
    ['an arrow function', '(x: number) => x', '[Function (anonymous)]'],
    ['one behind an export', '1\nexport {}', null],
    ['a declaration', 'const x3 = 1', null],
    ['a block', '{ 1 }', null],
    ['undefined', 'undefined', null],
    ['text that looks like a directive', "'use strict'", "'use strict'"],
    ['a sequence', 'console.log(), 2', '2'],
    ['one that waits', 'await Promise.resolve(3)', '3'],
    ['one with a cast', '4 as number satisfies number', '4'],
  ] as const)('of %s', async ([, code, expected]) => {
    expect((await session.run(code)).result).toBe(expected)
  })

  it('comes with a notice when it is a promise', async () => {
    const { result, printed } = await session.run('Promise.resolve(4)')
    expect([result, printed]).toEqual([
      'Promise { 4 }',
      'The last line is a promise. Write `await` before it to wait for its value.\n',
    ])
  })
})

describe('this', () => {
  it('is that of a module', async () => {
    await session.print(
      'function whoIsThis(this: unknown) { return this }\nconst tag = function (this: unknown, parts: TemplateStringsArray) { return [this, parts[0]] }',
    )
    expect(
      await session.print('console.log(typeof this, whoIsThis(), whoIsThis?.(), tag`x`)'),
    ).toBe("undefined undefined undefined [ undefined, 'x' ]")
  })
})
