import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Run cells in order. Returns the output of each. */
async function printAll(...cells: string[]): Promise<string[]> {
  const printed: string[] = []
  for (const cell of cells) printed.push(await session.print(cell))
  return printed
}

describe('a name is one variable', () => {
  it('for a function of an earlier cell, after a later cell has assigned to it', async () => {
    const [, first, second] = await printAll(
      'let total = 0\nconst add = (n: number) => { total += n; return total }',
      'for (const n of [1, 2, 3]) add(n)\nconsole.log(total)',
      'total = 0\nfor (const n of [1, 2, 3]) add(n)\nconsole.log(total)',
    )
    expect([first, second]).toEqual(['6', '6'])
  })

  it('when it is declared again', async () => {
    const printed = await printAll(
      'let seen = 1\nfunction look() { return seen }\nclass Looks { now = () => seen; static later() { return seen } }',
      'let seen = 1001\nconsole.log(look(), new Looks().now(), Looks.later())',
    )
    expect(printed[1]).toBe('1001 1001 1001')
  })

  it('for a function that is declared again', async () => {
    const printed = await printAll(
      "function helper() { return 'first' }\nconst callsHelper = () => helper()",
      "function helper() { return 'second' }\nconsole.log(callsHelper())",
    )
    expect(printed[1]).toBe('second')
  })

  it('for a timer that an earlier cell started', async () => {
    const printed = await printAll(
      "let state = 'waiting'\nlet told = Promise.withResolvers<string>()\nconst timer = setInterval(() => { if (state !== 'waiting') { clearInterval(timer); told.resolve(state) } }, 1)",
      "state = 'measuring'\nconsole.log(await told.promise)",
    )
    expect(printed[1]).toBe('measuring')
  })

  it('in every syntax of assignment', async () => {
    const printed = await printAll(
      'let a = 1, b = 2, c = [0], d: { e?: number } = {}',
      '[a, b] = [b, a]; ({ e: c[0] = 9 } = d); a++; b **= 2; d.e ??= a\nconsole.log(a, b, c, d)',
      'for (a of [5, 6]) ;\nfor (const key in { x: 1 }) b = key.length\nconsole.log(a, b)',
      "let text: string | undefined\ntext ||= 'set'; text &&= text + '!'\nconsole.log(text, `${a}`, { a, b })",
    )
    expect(printed.slice(1)).toEqual(['3 1 [ 9 ] { e: 3 }', '6 1', 'set! 6 { a: 6, b: 1 }'])
  })

  it('but not for a parameter or a local variable of the same name', async () => {
    const printed = await printAll(
      'let near = [1]',
      'const twice = (near: number) => near * 2\n{ const near = 3; console.log({ near }) }\nconsole.log(twice(4), near, { near, far: (() => { const near = 5; return { near } })() })',
    )
    expect(printed[1]).toBe('{ near: 3 }\n8 [ 1 ] { near: [ 1 ], far: { near: 5 } }')
  })

  it('also with the name of a setter that all objects have', async () => {
    const printed = await printAll(
      'const __proto__ = { a: 1 }',
      'const held = { __proto__ }\nconsole.log(Object.keys(held))',
    )
    expect(printed[1]).toBe("[ '__proto__' ]")
  })

  it('and a later cell may declare a name that Node has as a global', async () => {
    const printed = await printAll(
      "const URL = 'http://n1'\nlet name = 'own', status = 3",
      "console.log(URL, name, status, typeof (await import('node:url')).URL, new (globalThis.URL)(URL).host)",
    )
    expect(printed[1]).toBe('http://n1 own 3 function n1')
  })
})

describe('patterns', () => {
  const probe =
    "const probe = { every: 200, loss: 0, jitter: 2, from: { name: 'n5', tags: ['mesh', 'cut', 'radio'] } }"

  it.for([
    [
      'with a rest',
      'const { every: gone, from: alsoGone, ...rest } = probe',
      'console.log(rest)',
      '{ loss: 0, jitter: 2 }',
    ],
    ['with other names', 'const { every: everyMs } = probe', 'console.log(everyMs)', '200'],
    [
      'with a key that is computed',
      "const key = 'loss'\nconst { [key]: lossPct } = probe",
      'console.log(lossPct)',
      '0',
    ],
    [
      'in each other',
      'const { from: { name: place, tags: [tag, ...tags] } } = probe',
      'console.log(place, tag, tags)',
      "n5 mesh [ 'cut', 'radio' ]",
    ],
    [
      'with defaults',
      'const { none = 7, loss: lost = 9, also = () => 1 } = probe as { none?: number; loss: number; also?: () => number }',
      'console.log(none, lost, also.name)',
      '7 0 also',
    ],
    [
      'with holes',
      'const [, second, , fourth = 4] = [1, 2, 3]',
      'console.log(second, fourth)',
      '2 4',
    ],
    [
      'in a loop',
      'const found: string[] = []\nfor (const { name, tags: [one] } of [probe.from]) found.push(name, one!)',
      'console.log(found)',
      "[ 'n5', 'mesh' ]",
    ],
    [
      'in parameters',
      'const told = (({ name, tags: { length } }: typeof probe.from, [x = 3] = []) => `${name} ${length} ${x}`)(probe.from)',
      'console.log(told)',
      'n5 3 3',
    ],
    [
      'in assignments',
      "let left = 1, right = 2, sub = ''\n;({ every: left, from: { name: sub } } = probe); [left, right] = [right, left]",
      'console.log(left, right, sub)',
      '2 200 n5',
    ],
    [
      'of what can be iterated',
      'const [head, ...others] = new Set([1, 2, 3])',
      'console.log(head, others)',
      '1 [ 2, 3 ]',
    ],
  ] as const)('%s', async ([, declares, uses, expected]) => {
    const printed = await printAll(probe, declares, uses)
    expect(printed[2]).toBe(expected)
  })
})

describe('var', () => {
  it('belongs to the top level also in blocks and loops', async () => {
    const printed = await printAll(
      'if (1 + 1 === 2) { var inBlock = 1 }\nfor (var i = 0; i < 3; i++) { var last = i }\nfor (var each of [7, 8]) ;\nfor (var { k } of [{ k: 9 }]) ;\nfor (var at in { x: 1 }) ;',
      'console.log(inBlock, i, last, each, k, at)',
    )
    expect(printed[1]).toBe('1 3 2 8 9 x')
  })

  it('of the same name twice keeps its value', async () => {
    expect(await session.print('var twice = 1\nvar twice: number\nconsole.log(twice)')).toBe('1')
  })

  it('in a function is local', async () => {
    expect(
      await session.print(
        'let outer = 1\n;(function () { var outer = 2; return outer })()\nconsole.log(outer)',
      ),
    ).toBe('1')
  })
})

describe('a constant whose type is a union', () => {
  it('is narrowed inside functions of later cells, as in one file', async () => {
    await session.print(
      "const maybe: string | undefined = ['text'].find(Boolean)\nconst sent: { ok: true; rtt: number } | { ok: false } = { ok: true, rtt: 5 } as { ok: true; rtt: number } | { ok: false }",
    )
    expect(
      await session.print(
        'if (maybe) [1].map(() => console.log(maybe.length))\nif (sent.ok) [1].map(() => console.log(sent.rtt))',
      ),
    ).toBe('4\n5')
  })

  it('is still a constant of its cell', async () => {
    await session.print('const either: string | number = Math.max(1, 2)')
    const { complaint } = await session.run('either = 5')
    expect(complaint).toMatch(
      /^cell-\d+\.ts:1:1 - Cannot assign to 'either' because it is a constant of cell \d+\. \(TS2588\)$/u,
    )
    const { complaint: own } = await session.run('{ const either = 1 as number; either = 5 }')
    expect(own).toMatch(/Cannot assign to 'either' because it is a constant\. \(TS2588\)$/u)
  })

  it('gives a variable the type that it would give in one file', async () => {
    await session.print(
      "const one = 1\nconst side = Math.random() > 2 ? 'left' : 'right'\nconst isOn = Math.random() > 2 ? true : false",
    )
    const cell =
      "let y = one\ny = 5\nlet where = side\nwhere = 'above'\nlet on = isOn\non = true\nconsole.log(y, where, on)"
    expect(await session.print(cell)).toBe('5 above true')
  })

  it('may have the same name as a type', async () => {
    await session.print('type Level = 1 | 2')
    await session.print('const Level: Level | null = [2 as Level].find(Boolean) ?? null')
    expect(
      await session.print(
        'const level: Level = 1\nif (Level !== null) console.log((Level satisfies Level) + level)',
      ),
    ).toBe('3')
    await session.print('interface Level { n: number }')
    expect(await session.print('const of: Level = { n: 1 }\nconsole.log(of.n, Level)')).toBe('1 2')
  })
})

describe('a cell that runs again', () => {
  it('resets what it declares', async () => {
    const cell =
      'let begun: number | undefined\nconst before = begun\nbegun = 3\nenum Kind { A, B }\nnamespace Space { export const x = 1 }\nconsole.log(before, Object.keys(Kind).length)'
    expect(await printAll(cell, cell)).toEqual(['undefined 4', 'undefined 4'])
  })
})

describe('a value that no variable refers to', () => {
  it('is freed', async () => {
    const cell = 'let block = new Uint8Array(50e6)\nconst ref = new WeakRef(block)\nblock.length'
    await session.run(cell)
    await session.run('let block = 0')
    // Nothing else refers to it, so the collector may free it.
    const printed = await session.print(
      "import v8 from 'node:v8'\nimport vm from 'node:vm'\nv8.setFlagsFromString('--expose-gc')\nawait new Promise((done) => setTimeout(done, 0))\nvm.runInNewContext('gc')()\nconsole.log(ref.deref())",
    )
    expect(printed).toBe('undefined')
  })
})

describe('a literal of thousands of rows', () => {
  it('keeps its types and lines, for later cells and when it is declared again', async () => {
    const rows = (ms: (n: number) => string): string =>
      Array.from({ length: 1_000 }, (_, n) => `  { node: 'n${n}', ms: ${ms(n)}, ok: true },`).join(
        '\n',
      )
    await session.print(
      `const many = [\n${rows((n) => (n % 2 === 0 ? 'null' : `-${n}`))}\n]\nconst slowest = () => many.reduce((most, { ms }) => Math.max(most, ms ?? 0), 0)`,
    )
    expect(
      await session.print('console.log(many.length, many[1]?.ms?.toFixed(1), slowest())'),
    ).toBe('1000 -1.0 0')
    expect(await session.inspect('many')).toContain(
      'const many: ({\n    node: string;\n    ms: null;\n    ok: boolean;\n} | {\n    node: string;\n    ms: number;\n    ok: boolean;\n})[]',
    )
    expect((await session.run('many[0].none')).complaint).toContain(
      "Property 'none' does not exist on type",
    )
    const { misfits } = await session.run(`const many = [\n${rows(() => "'none'")}\n]`)
    expect(misfits.join('\n')).toMatch(
      /many is now [^;]*; [^;]*; [^;]*; \}\[\]; what cell \d+ declared with it takes it for/u,
    )
    expect(misfits.join('\n')).not.toContain('as unknown')
  })
})
