import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Write files below the notebook's folder; each takes the place of an older one at once. */
async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(session.folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }
}

/** Install a package into the notebook's folder. */
const install = (
  name: string,
  json: object,
  files: Readonly<Record<string, string>>,
): Promise<void> =>
  write(
    Object.fromEntries(
      Object.entries({
        'package.json': JSON.stringify({ name, version: '1.0.0', ...json }),
        ...files,
      }).map(([file, text]) => [`node_modules/${name}/${file}`, text]),
    ),
  )

describe('a package', () => {
  it('of ES modules with a top-level await', async () => {
    await install(
      'waits',
      { type: 'module', exports: { '.': { types: './i.d.ts', default: './i.js' } } },
      {
        'i.js': "export const said = await Promise.resolve('behind an await')\nexport default 3\n",
        'i.d.ts':
          'export const said: string\ndeclare const _default: number\nexport default _default\n',
      },
    )
    await session.print("import three, { said } from 'waits'\nimport * as waits from 'waits'")
    expect(
      await session.print("console.log(said, three, waits.said, (await import('waits')).default)"),
    ).toBe('behind an await 3 behind an await 3')
  })

  it('is live: what it exports changes with it', async () => {
    await install(
      'counts',
      { type: 'module', exports: { '.': { types: './i.d.ts', default: './i.js' } } },
      {
        'i.js': 'export let count = 0\nexport const up = () => { count += 1 }\n',
        'i.d.ts': 'export let count: number\nexport function up(): void\n',
      },
    )
    await session.print("import { count, up as raise } from 'counts'")
    expect(await session.print('raise(); raise()\nconsole.log(count)')).toBe('2')
  })

  it('of CommonJS, with and without a default of its own', async () => {
    await install(
      'common',
      { main: 'i.js', types: 'i.d.ts' },
      {
        'i.js':
          'const made = { answer: 42 }\nObject.assign(module.exports, made)\nmodule.exports.late = 7\n',
        'i.d.ts': 'export const answer: number\nexport const late: number\n',
      },
    )
    await install(
      'common-default',
      { main: 'i.js', types: 'i.d.ts' },
      {
        'i.js':
          "Object.defineProperty(exports, '__esModule', { value: true })\nexports.default = 'own'\nexports.other = 1\n",
        'i.d.ts':
          'declare const _default: string\nexport default _default\nexport const other: number\n',
      },
    )
    await install(
      'common-function',
      { main: 'i.js', types: 'i.d.ts' },
      {
        'i.js': 'module.exports = (x) => x * 2\n',
        'i.d.ts': 'declare function double(x: number): number\nexport = double\n',
      },
    )
    const cell =
      "import common, { answer, late } from 'common'\nimport * as whole from 'common'\nimport own, { other } from 'common-default'\nimport double from 'common-function'"
    await session.print(cell)
    expect(
      await session.print(
        'console.log(common.answer, answer, late, whole.answer, own, other, double(4))',
      ),
    ).toBe('42 42 7 42 own 1 8')
  })

  it('of both kinds is taken as a module by import, as CommonJS by require', async () => {
    await install(
      'dual',
      { exports: { '.': { types: './i.d.ts', import: './i.mjs', require: './i.cjs' } } },
      {
        'i.mjs': "export const kind = 'module'\n",
        'i.cjs': "exports.kind = 'common'\n",
        'i.d.ts': 'export const kind: string\n',
      },
    )
    expect(
      await session.print("import { kind } from 'dual'\nconsole.log(kind, require('dual').kind)"),
    ).toBe('module common')
  })

  it('without types, and of types alone', async () => {
    await install('untyped', { main: 'i.js' }, { 'i.js': 'exports.x = 5\n' })
    await install(
      'only-types',
      { types: 'i.d.ts' },
      { 'i.d.ts': 'export interface Feature { id: number }\n' },
    )
    const cell =
      "import { x } from 'untyped'\nimport { Feature } from 'only-types'\nimport type { Feature as Other } from 'only-types'\nconst feature: Feature & Other = { id: x }\nconsole.log(feature)"
    expect(await session.print(cell)).toBe('{ id: 5 }')
    expect(await session.print('const again: Feature = feature\nconsole.log(again.id)')).toBe('5')
  })

  it('that was installed a moment ago', async () => {
    expect((await session.run("import { late } from 'later'")).complaint).toContain(
      'npm install later',
    )
    await install(
      'later',
      { type: 'module', exports: { '.': { types: './i.d.ts', default: './i.js' } } },
      {
        'i.js': 'export const late = 42\n',
        'i.d.ts': 'export const late: number\n',
      },
    )
    expect(await session.print("import { late } from 'later'\nconsole.log(late)")).toBe('42')
  })

  it('of the notebook’s folder comes before the kernel’s own, which is there for the rest', async () => {
    await install(
      'typebox',
      { type: 'module', exports: { '.': { types: './i.d.ts', default: './i.js' } } },
      {
        'i.js': "export const whose = 'the notebook’s'\n",
        'i.d.ts': 'export const whose: string\n',
      },
    )
    expect(
      await session.print(
        "import { whose } from 'typebox'\nimport * as Plot from '@observablehq/plot'\nconsole.log(whose, typeof Plot.plot)",
      ),
    ).toBe('the notebook’s function')
  })

  it('that the kernel lends has types that stay with what is made of it', async () => {
    await session.print(
      "import { Plot, connect } from '@community-lab/kernel'\nconst figure = Plot.plot({ marks: [Plot.dot([{ a: 1, b: 2 }], { x: 'a', y: 'b' })] })\nconst lend = () => connect()",
    )
    expect(await session.print('console.log(figure.outerHTML.slice(0, 4))')).toBe('<svg')
    expect((await session.run('const wrong: number = lend()')).complaint).toContain(
      "Type 'Lab' is not assignable to type 'number'. (TS2322)",
    )
  })

  it('of figures draws without a browser when it is imported itself', async () => {
    const cell =
      "import * as Plot from '@observablehq/plot'\nimport { plot } from '@observablehq/plot'\nconst dot = Plot.dot([{ a: 1, b: 2 }], { x: 'a', y: 'b' })\nconst all = [Plot.plot({ marks: [dot] }), plot({ marks: [dot] }), dot.plot(), (await import('@observablehq/plot')).plot()]\nconsole.log(all.map(({ outerHTML }) => outerHTML.slice(0, 4)).join(' '))"
    expect(await session.print(cell)).toBe('<svg <svg <svg <svg')
    expect(
      await session.print(
        "import { Plot as ours } from '@community-lab/kernel'\nconsole.log(ours.plot === Plot.plot, Object.keys(ours).length === Object.keys(Plot).length)",
      ),
    ).toBe('true true')
  })

  it('is asked for a path that it does not export', async () => {
    const { complaint, error } = await session.run("const path = 'waits/i.js'\nawait import(path)")
    expect([complaint, error]).toEqual([
      null,
      expect.stringContaining("Package subpath './i.js' is not defined"),
    ])
  })
})

describe('the notebook’s own files', () => {
  it('are imported again after they changed, or what they import', async () => {
    await write({
      'own/inner.ts': 'export enum Kind { A = 1 }\nexport const inner: number = Kind.A\n',
      'own/left.mts':
        "import { inner } from './inner.ts'\nexport const left: number = inner * 10\n",
      'own/right.js': "import { inner } from './inner.ts'\nexport const right = inner * 100\n",
    })
    const cell =
      "import { left } from './own/left.mts'\nimport { right } from './own/right.js'\nconsole.log(left, right)"
    expect(await session.print(cell)).toBe('10 100')
    expect(await session.print(cell)).toBe('10 100')
    await write({ 'own/inner.ts': 'export const inner = 2\n' })
    expect(await session.print(cell)).toBe('20 200')
    await write({
      'own/right.js': "import { inner } from './inner.ts'\nexport const right = inner * 1000\n",
    })
    expect(await session.print(cell)).toBe('20 2000')
  })

  it('that did not change are one module, also through two of them', async () => {
    await write({
      'one/state.ts': 'export const state = { n: 0 }\n',
      'one/user.ts':
        "import { state } from './state'\nexport const up = (): number => (state.n += 1)\n",
    })
    const cell =
      "import { state } from './one/state'\nimport { up } from './one/user'\nup()\nconsole.log(state.n)"
    expect(await session.print(cell)).toBe('1')
    expect(await session.print(cell)).toBe('2')
  })

  it('that failed may be mended', async () => {
    await write({ 'mend.ts': "export const mended: number = 1\nthrow new TypeError('not yet')\n" })
    const cell = "import { mended } from './mend'\nconsole.log(mended)"
    const { error, stack } = await session.run(cell)
    expect(error).toBe('TypeError: not yet')
    expect(stack).toContain(`${join(session.folder, 'mend.ts')}:2:7`)
    expect((await session.run(cell)).error).toBe('TypeError: not yet')
    await write({ 'mend.ts': 'export const mended: number = 2\n' })
    expect(await session.print(cell)).toBe('2')
  })

  it('name their lines in errors of later cells', async () => {
    await write({
      'throws.ts':
        'interface Gone {\n  x: 1\n}\nexport function fails(): never {\n  throw new Error("deep")\n}\n',
    })
    await session.print("import { fails } from './throws'")
    expect((await session.run('fails()')).stack).toContain(
      `at fails (${join(session.folder, 'throws.ts')}:5:9)`,
    )
  })

  it('may be called like a cell', async () => {
    await write({ 'cell-1.ts': 'export const mine = 3\n' })
    expect(await session.print("import { mine } from './cell-1.ts'\nconsole.log(mine)")).toBe('3')
  })

  it('with an enum, found by a path that is no text of the cell, say what to do', async () => {
    await write({
      'found.ts': 'export enum Kind { Cut = 7 }\n',
      'user.ts': "export { Kind } from './found.ts'\n",
    })
    const remedy = "import './found.ts' by its written path first"
    const dynamic = "const where = './found.ts'\nconsole.log((await import(where)).Kind.Cut)"
    expect((await session.run(dynamic)).error).toContain(remedy)
    const required = await session.run("require('./found.ts')")
    expect(required.error).toContain(remedy)
    expect(required.stack).toContain(remedy)
    expect((await session.run("const user = './user.ts'\nawait import(user)")).error).toContain(
      "import './user.ts' by its written path first",
    )
    await session.print("import './found.ts'")
    expect(await session.print(dynamic)).toBe('7')
    expect(await session.print("console.log(require('./found.ts').Kind.Cut)")).toBe('7')
  })

  it('may import each other in a circle, and change', async () => {
    await write({
      'round/a.ts':
        "import { b } from './b'\nexport const a = 1\nexport const both = (): number => a + b\n",
      'round/b.ts':
        "import { a } from './a'\nexport const b = 10\nexport const other = (): number => a\n",
    })
    const cell =
      "import { both } from './round/a'\nimport { other } from './round/b'\nconsole.log(both(), other())"
    expect(await session.print(cell)).toBe('11 1')
    await write({
      'round/a.ts':
        "import { b } from './b'\nexport const a = 2\nexport const both = (): number => a + b\n",
    })
    expect(await session.print(cell)).toBe('12 2')
    expect(await session.print(cell)).toBe('12 2')
  })

  it('of CommonJS are loaded again too', async () => {
    await write({
      'old/package.json': '{}',
      'old/inner.cjs': 'exports.n = 1\n',
      'old/outer.cjs': "exports.n = require('./inner.cjs').n\n",
    })
    const cell =
      "console.log(require('./old/outer.cjs').n, (await import('./old/outer.cjs')).default.n)"
    expect(await session.print(cell)).toBe('1 1')
    await write({ 'old/inner.cjs': 'exports.n = 2\n' })
    expect(await session.print(cell)).toBe('2 2')
  })
})

describe('JSON', () => {
  it('is read again at each import', async () => {
    const cell = "import summary, { rows } from './summary.json'\nconsole.log(summary.mean, rows)"
    await write({ 'summary.json': '{ "mean": 20.4, "rows": 3 }' })
    expect(await session.print(cell)).toBe('20.4 3')
    await write({ 'summary.json': '{ "mean": 21.5, "rows": 5, "note": "with a cut" }' })
    expect(await session.print(cell)).toBe('21.5 5')
    expect(
      await session.print(
        "import same from './summary.json' with { type: 'json' }\nconsole.log(same.note)",
      ),
    ).toBe('with a cut')
  })

  it('that is none is named', async () => {
    await write({ 'broken.json': '{' })
    expect((await session.run("import broken from './broken.json'")).error).toMatch(
      /^SyntaxError: broken\.json: Expected property name/u,
    )
  })

  it('of a package needs no attribute', async () => {
    await install('has-json', { type: 'module' }, { 'data.json': '{ "of": "a package" }' })
    expect(await session.print("import data from 'has-json/data.json'\nconsole.log(data.of)")).toBe(
      'a package',
    )
  })
})

describe('what modules have', () => {
  it('is there in cells', async () => {
    await write({ 'dynamic.ts': 'export const here = 5\n' })
    const cell =
      "const { here } = await import('./dynamic')\nconst late = async () => (await import('./dynamic')).here\nconsole.log(here, await late(), import.meta.dirname === process.cwd(), import.meta.resolve('./dynamic.ts').endsWith('/dynamic.ts'))"
    expect(await session.print(cell)).toBe('5 5 true true')
  })

  it('is loaded before the first line, in the order of the imports', async () => {
    await write({
      'first.ts': "console.log('first')\nexport {}\n",
      'second.ts': "console.log('second')\nexport {}\n",
    })
    expect(await session.print("console.log('cell')\nimport './first'\nimport './second'")).toBe(
      'first\nsecond\ncell',
    )
  })

  it('takes the place of a variable that a function of an earlier cell sets', async () => {
    await write({ 'counted.ts': 'export const counted = 5\n' })
    await session.print('let counted = 1\nfunction count() { counted++ }')
    await session.print("import { counted } from './counted.ts'")
    expect(await session.print('count()\nconsole.log(counted)')).toBe('6')
  })

  it('may be declared again as a variable, and the other way round', async () => {
    await session.print("import { join } from 'node:path'\nconst useJoin = () => typeof join")
    expect(
      await session.print("let join = 'text'\njoin += '!'\nconsole.log(join, useJoin())"),
    ).toBe('text! string')
    expect(await session.print("import { join } from 'node:path'\nconsole.log(useJoin())")).toBe(
      'function',
    )
  })
})
