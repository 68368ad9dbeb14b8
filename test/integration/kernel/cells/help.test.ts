import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
  await session.print(
    "import { connect } from '@community-lab/kernel'\n/** How many rounds. */\nlet rounds = 3\n/**\n * Doubles a number.\n *\n * @param x what to double\n * @throws never\n */\nfunction twice(x: number) {\n  return x * 2\n}\n/** Where to end. */\nconst limit: number | null = null\nconst settings: { mode: 'fast' | 'slow'; deep: { level: number } } = { mode: 'fast', deep: { level: 1 } }",
  )
})
afterAll(() => session[Symbol.asyncDispose]())

const texts = async (code: string, cursor?: number): Promise<string[]> =>
  (await session.complete(code, cursor)).matches.map(({ text }) => text)

describe('completion', () => {
  it.for([
    ['members', 'Math.cei', ['ceil']],
    ['members of what an earlier cell declared', 'settings.', ['deep', 'mode']],
    ['members of members', 'settings.deep.le', ['level']],
    ['properties of a literal', 'const other: typeof settings = { mo', ['mode']],
    ['text in a string', "settings.mode = '", ['fast', 'slow']],
    ['names of earlier cells', 'rou', ['rounds']],
  ] as const)('finds %s', async ([, code, expected]) => {
    expect((await texts(code)).slice(0, expected.length)).toEqual(expected)
  })

  it('finds the fields of a point in its rows, in a later cell', async () => {
    await session.print(
      "import { bool, optional, point, seconds, type Run } from '@community-lab/kernel'\nconst beat = point('beat', { rtt_s: optional(seconds()), lost: bool() })\nlet beats: Run",
    )
    const inLoop = await texts('for await (const row of beats.rows(beat)) row.')
    const inWork = await texts('await beats.rows(beat).forEach((row) => row.')
    for (const found of [inLoop, inWork])
      expect(found).toEqual(expect.arrayContaining(['rtt_s', 'lost', 'time', 'node', 'run']))
  })

  it('finds files of the notebook and packages in imports, and replaces their part of the path', async () => {
    await session.write({
      'probes/rtt.ts': 'export const rtt = 1',
      'probes.json': '[]',
      'node_modules/@scope/pack-age/package.json': '{ "name": "@scope/pack-age" }',
      'node_modules/d3-own/package.json': '{ "name": "d3-own" }',
    })
    const found = async (path: string): Promise<unknown> => {
      const code = `import x from '${path}'`
      const { start, matches } = await session.complete(code, code.length - 1)
      return [code.slice(0, start).split("'")[1], ...matches.map(({ text }) => text).toSorted()]
    }
    expect(await found('./pro')).toEqual(['./', 'probes', 'probes.json'])
    expect(await found('./probes/')).toEqual(['./probes/', 'rtt'])
    expect(await found('@sc')).toEqual(['', '@scope'])
    expect(await found('@scope/pa')).toEqual(['@scope/', 'pack-age'])
    expect(await found('d3-')).toEqual(['', 'd3-own'])
  })

  it('finds the library and what comes with it in imports, far from the checkout', async () => {
    const found = async (code: string): Promise<unknown> => {
      const { start, end, matches } = await session.complete(code)
      return [code.slice(start, end), ...matches.map(({ text }) => text)]
    }
    expect(await found("import { connect } from '@comm")).toEqual(['@comm', '@community-lab'])
    expect(await found('import "@community-lab/')).toEqual(['', 'kernel'])
    expect(await found("await import('@observablehq/pl")).toEqual(['pl', 'plot'])
    expect(await found("const text = '@comm")).not.toContain('@community-lab')
    const library = "from '@community-lab/kernel'"
    expect(await texts(`import { conn } ${library}`, 'import { conn'.length)).toEqual([
      'connect',
      'ConnectOptions',
    ])
    expect(await texts(`import { connect } ${library}\nconnect().slices.en`)).toEqual(['ensure'])
  })

  it('counts code points, replaces the whole word, and gives the kind of each proposal', async () => {
    const code = '"😀"; settings.deep.levitate'
    const { start, end, matches } = await session.complete(code, code.length - 'itate'.length - 1)
    expect([start, end, matches[0]]).toEqual([19, 27, { text: 'level', type: 'property' }])
  })

  it('proposes no name that the kernel has added', async () => {
    expect((await texts('')).filter((name) => name.includes('__'))).toEqual([
      '__dirname',
      '__filename',
    ])
  })
})

describe('inspection', () => {
  it('describes the type and the documentation of a name of a package as Markdown', async () => {
    expect(await session.inspect('Math.max')).toBe(
      '```typescript\n(method) Math.max(...values: number[]): number\n```\n\nReturns the larger of a set of supplied numeric expressions.\n\n- `values`: Numeric expressions to be evaluated.',
    )
    expect(await session.inspect('connect')).toMatch(
      /^```typescript\nfunction connect\(.*\): Lab\n```\n\nConnect to a testbed\./u,
    )
  })

  it('describes names of earlier cells', async () => {
    expect(await session.inspect('rounds')).toBe(
      '```typescript\nlet rounds: number\n```\n\nHow many rounds.',
    )
    expect(await session.inspect('limit')).toBe(
      '```typescript\nconst limit: number | null\n```\n\nWhere to end.',
    )
    expect(await session.inspect('twice')).toBe(
      '```typescript\nfunction twice(x: number): number\n```\n\nDoubles a number.\n\n*@throws* never\n\n- `x`: what to double',
    )
  })

  it('describes the parameters inside the arguments of a call', async () => {
    const head =
      '```typescript\ntwice(x: number): number\n```\n\nDoubles a number.\n\n*@throws* never'
    expect(await session.inspect('twice(')).toBe(`${head}\n\n- **\`x\`**: what to double`)
    expect(await session.inspect('twice(3, ')).toBe(`${head}\n\n- \`x\`: what to double`)
    await session.print(
      '/**\n * Adds up.\n * @param first - where to begin\n * @param {number[]} more what to add,\n *   one by one\n */\nconst add = (first: number, ...more: number[]) => more.reduce((a, b) => a + b, first)',
    )
    expect(await session.inspect('add(1, 2, 3, ')).toContain(
      'Adds up.\n\n- `first`: where to begin\n- **`more`**: what to add, one by one',
    )
  })

  it('describes properties of an object that is an argument, and the call around a string', async () => {
    await session.print(
      '/** Starts it. */\nfunction start(probe: { /** In ms. */ every: number; mode: string }) {}',
    )
    const code = "start({ every: 5, mode: 'fast' })"
    expect(await session.inspect(code, code.indexOf('ery'))).toMatch(
      /every: number\n```\n\nIn ms\.$/u,
    )
    expect(await session.inspect(code, code.indexOf('ast'))).toContain('Starts it.')
    expect(await session.inspect('Math.max(')).toContain('**`values`**')
  })

  it('returns nothing for names that do not exist', async () => {
    expect(await session.inspect('nowhere')).toBeNull()
    expect(await session.inspect('')).toBeNull()
  })

  it('works while a cell runs', async () => {
    const running = session.run(
      'let done = Promise.withResolvers<void>()\nglobalThis.setTimeout(() => done.resolve(), 200)\nawait done.promise',
    )
    expect(await session.inspect('rounds')).toContain('How many rounds.')
    await running
  })
})

describe('completeness', () => {
  it.for([
    ['1', 'complete'],
    ['await 1', 'complete'],
    ["import x from 'y'", 'complete'],
    ['function f() {', 'incomplete'],
    ['[1,', 'incomplete'],
    ['const s = `begun', 'incomplete'],
    ['/* begun', 'incomplete'],
    ['if (1)', 'incomplete'],
    ['a.', 'incomplete'],
    ['const = 1', 'invalid'],
    ['const s = "begun', 'invalid'],
    ['}', 'invalid'],
  ] as const)('%s: %s', async ([code, status]) => {
    expect((await session.isComplete(code)).status).toBe(status)
  })

  it('includes the indentation of the next line', async () => {
    expect(await session.isComplete('class A {\n  f() {')).toEqual({
      status: 'incomplete',
      indent: '    ',
    })
  })
})
