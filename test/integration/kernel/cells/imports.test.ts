import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
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

  it('that is installed anew says that the kernel uses the one before', async () => {
    const files = { 'i.js': 'exports.x = 1\n', 'i.d.ts': 'export const x: number\n' }
    const json = { main: './i.js', types: './i.d.ts' }
    await install('renewed', json, files)
    const cell = "import { x } from 'renewed'\nconsole.log(x)"
    expect(await session.print(cell)).toBe('1')
    expect(await session.print(cell)).toBe('1')
    // While npm writes it, nothing can be told of it yet.
    await write({ 'node_modules/renewed/package.json': '{"name": "renewed", "main": "./i.js", ' })
    expect(await session.print("console.log(require('renewed').x)")).toBe('1')
    await install('renewed', { ...json, version: '1.1.0' }, { ...files, 'i.js': 'exports.x = 2\n' })
    const told =
      'renewed was installed after this kernel had loaded it: version 1.0.0 is in use, and there is version 1.1.0 now. Restart the kernel to use it.\n'
    expect(await session.print(cell)).toBe(`${told}1`)
    expect(await session.print("console.log(require('renewed').x)")).toBe('1')
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
    const required =
      "const again = require('@observablehq/plot')\nconsole.log(again.plot === Plot.plot, again.dot === Plot.dot)"
    expect(await session.print(required)).toBe('true true')
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

  it('may be outside of its folder', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'cl-shared-'))
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    const place = `../${basename(elsewhere)}`
    const cell = `import { Kind } from '${place}/kind.ts'\nimport data from '${place}/data.json'\nconsole.log(Kind.A, data, require('${place}/kind').Kind.A)`
    await write({
      [`${place}/kind.ts`]: "import { value } from './value.ts'\nexport enum Kind { A = value }\n",
      [`${place}/value.ts`]: 'export const value: number = 1\n',
      [`${place}/data.json`]: '"text"',
    })
    expect(await session.print(cell)).toBe('1 text 1')
    await write({
      [`${place}/value.ts`]: 'export const value: number = 22\n',
      [`${place}/data.json`]: '333',
    })
    expect(await session.print(`${cell}\ndata.toFixed()`)).toBe('22 333 22')
  })

  it('are imported as they are now when they changed after the cell was compiled', async () => {
    await write({ 'late.ts': 'export const late: number = 1\n' })
    const code = "import { late } from './late.ts'\nconsole.log(late)"
    const source = { number: 900, name: 'cell-900.ts', canAsk: false, code }
    const compilation = await session.compiler.compile(source)
    if (!compilation.ok) throw new Error('the cell has errors')
    await write({ 'late.ts': 'export const late: number = 2, more = 0\n' })
    await session.runner.run(compilation.cell, source)
    await session.compiler.accept(source.number, Infinity)
    expect(await session.print(code)).toBe('2')
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

  it('are compiled too when no cell names them in an import', async () => {
    await write({
      'found.ts':
        'export enum Kind { Cut = 7 }\nexport const fail = (): never => {\n  throw new Error(`at ${Kind.Cut}`)\n}\n',
      'user.ts':
        "import { Kind } from './found.js'\nconst see = (of: unknown, at: ClassDecoratorContext) => void at.addInitializer(() => console.log(at.kind))\n@see export class User { constructor(readonly kind = Kind.Cut) {} }\n",
      'old.cts':
        "import path = require('node:path')\nexport = { base: path.basename('/x/y') as string }\n",
      'view.tsx': 'export enum Shown { Yes = 4 }\n',
      'broken.ts': 'export const a = 1\nexport const b: = 2\n',
    })
    expect(
      await session.print(
        "const user = './user.ts'\nconsole.log(new (await import(user)).User().kind)",
      ),
    ).toBe('class\n7')
    expect(
      await session.print(
        "const found = require('./found.ts')\nconsole.log(found.Kind.Cut, require('./old.cts').base, require('./view').Shown.Yes)",
      ),
    ).toBe('7 y 4')
    expect((await session.run('found.fail()')).stack).toMatch(
      /found\.ts:3:9\)\n {4}at cell-\d+\.ts:1:7/u,
    )
    expect((await session.run("require('./broken.ts')")).error).toMatch(
      /^SyntaxError: \S+broken\.ts:2:17 - Type expected\. \(TS1110\)$/u,
    )
  })

  it('are required again after they changed, as they are imported', async () => {
    const cell =
      "const required = require('./esm.ts')\nconsole.log(required.n, require('./esm.js').m, require('./user.cjs'), required === await import('./esm.ts'), require.resolve('./esm.ts').endsWith('/esm.ts'))"
    await write({
      'esm.ts': 'export const n: number = 1\n',
      'esm.js': "export { n as m } from './esm.ts'\n",
      'user.cjs': "module.exports = require('./esm.ts').n\n",
    })
    expect(await session.print(cell)).toBe('1 1 1 true true')
    await write({ 'esm.ts': 'export const n: number = 2\n' })
    expect(await session.print(cell)).toBe('2 2 2 true true')
    await write({ 'esm.ts': "throw new Error('broken')\n" })
    expect((await session.run("require('./esm.ts')")).error).toBe('Error: broken')
    await write({ 'esm.ts': 'export const n: number = 3\n' })
    expect(await session.print(cell)).toBe('3 3 3 true true')
  })

  it('pass on types that they do not call types', async () => {
    await write({
      'types.ts':
        "export interface Row { a: number }\nexport type Side = 'x' | 'y'\nexport const one = 1\n",
      'again.ts':
        "export { Row, one } from './types.ts'\nexport { Side } from './types.ts'\nimport { Row as Of, one as two } from './types.ts'\nexport { Of, two }\nexport const read = (row: Of): number => row.a\n",
    })
    const cell =
      "import { Row, Side, Of, one, two, read } from './again.ts'\nconst row: Row & Of = { a: one + two }, side: Side = 'x'\nconsole.log(read(row), side)"
    expect(await session.print(cell)).toBe('2 x')
  })

  it('may export a value under the name of a type that they import', async () => {
    await write({
      'row.ts': 'export interface Row { a: number }\nexport const make = () => 7\n',
      'rows.ts':
        "import { Row } from './row.ts'\nexport { make as Row } from './row.ts'\nexport const row: Row = { a: 1 }\nexport default Row\n",
    })
    const cell = "import { Row, row } from './rows.ts'\nconsole.log(Row(), row.a)"
    expect(await session.print(cell)).toBe('7 1')
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
