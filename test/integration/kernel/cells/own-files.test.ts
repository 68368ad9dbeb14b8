import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

describe('the notebook’s own files', () => {
  it('are imported again after they or their imports have changed', async () => {
    await session.write({
      'own/inner.ts': 'export enum Kind { A = 1 }\nexport const inner: number = Kind.A\n',
      'own/left.mts':
        "import { inner } from './inner.ts'\nexport const left: number = inner * 10\n",
      'own/right.js': "import { inner } from './inner.ts'\nexport const right = inner * 100\n",
    })
    const cell =
      "import { left } from './own/left.mts'\nimport { right } from './own/right.js'\nconsole.log(left, right)"
    expect(await session.print(cell)).toBe('10 100')
    expect(await session.print(cell)).toBe('10 100')
    await session.write({ 'own/inner.ts': 'export const inner = 2\n' })
    expect(await session.print(cell)).toBe('20 200')
    await session.write({
      'own/right.js': "import { inner } from './inner.ts'\nexport const right = inner * 1000\n",
    })
    expect(await session.print(cell)).toBe('20 2000')
  })

  it('may be outside of the notebook’s folder', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'cl-shared-'))
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    const place = `../${basename(elsewhere)}`
    const cell = `import { Kind } from '${place}/kind.ts'\nimport data from '${place}/data.json'\nconsole.log(Kind.A, data, require('${place}/kind').Kind.A)`
    await session.write({
      [`${place}/kind.ts`]: "import { value } from './value.ts'\nexport enum Kind { A = value }\n",
      [`${place}/value.ts`]: 'export const value: number = 1\n',
      [`${place}/data.json`]: '"text"',
    })
    expect(await session.print(cell)).toBe('1 text 1')
    await session.write({
      [`${place}/value.ts`]: 'export const value: number = 22\n',
      [`${place}/data.json`]: '333',
    })
    expect(await session.print(`${cell}\ndata.toFixed()`)).toBe('22 333 22')
  })

  it('are imported in their current version when they changed after the cell was compiled', async () => {
    await session.write({ 'late.ts': 'export const late: number = 1\n' })
    const code = "import { late } from './late.ts'\nconsole.log(late)"
    const source = { number: 900, name: 'cell-900.ts', canAsk: false, code }
    const compilation = await session.compiler.compile(source)
    if (!compilation.ok) throw new Error('the cell has errors')
    await session.write({ 'late.ts': 'export const late: number = 2, more = 0\n' })
    await session.runner.run(compilation.cell, source)
    await session.compiler.accept(source.number, Infinity)
    expect(await session.print(code)).toBe('2')
  })

  it('are one module while unchanged, also when imported through two others', async () => {
    await session.write({
      'one/state.ts': 'export const state = { n: 0 }\n',
      'one/user.ts':
        "import { state } from './state'\nexport const up = (): number => (state.n += 1)\n",
    })
    const cell =
      "import { state } from './one/state'\nimport { up } from './one/user'\nup()\nconsole.log(state.n)"
    expect(await session.print(cell)).toBe('1')
    expect(await session.print(cell)).toBe('2')
  })

  it('may be corrected after an error', async () => {
    await session.write({
      'mend.ts': "export const mended: number = 1\nthrow new TypeError('not yet')\n",
    })
    const cell = "import { mended } from './mend'\nconsole.log(mended)"
    const { error, stack } = await session.run(cell)
    expect(error).toBe('TypeError: not yet')
    expect(stack).toContain(`${join(session.folder, 'mend.ts')}:2:7`)
    expect((await session.run(cell)).error).toBe('TypeError: not yet')
    await session.write({ 'mend.ts': 'export const mended: number = 2\n' })
    expect(await session.print(cell)).toBe('2')
  })

  it('have correct lines in errors of later cells', async () => {
    await session.write({
      'throws.ts':
        'interface Gone {\n  x: 1\n}\nexport function fails(): never {\n  throw new Error("deep")\n}\n',
    })
    await session.print("import { fails } from './throws'")
    expect((await session.run('fails()')).stack).toContain(
      `at fails (${join(session.folder, 'throws.ts')}:5:9)`,
    )
  })

  it('may have the name of a cell', async () => {
    await session.write({ 'cell-1.ts': 'export const mine = 3\n' })
    expect(await session.print("import { mine } from './cell-1.ts'\nconsole.log(mine)")).toBe('3')
  })

  it('are compiled also when no cell imports them by name', async () => {
    await session.write({
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
    await session.write({
      'esm.ts': 'export const n: number = 1\n',
      'esm.js': "export { n as m } from './esm.ts'\n",
      'user.cjs': "module.exports = require('./esm.ts').n\n",
    })
    expect(await session.print(cell)).toBe('1 1 1 true true')
    await session.write({ 'esm.ts': 'export const n: number = 2\n' })
    expect(await session.print(cell)).toBe('2 2 2 true true')
    await session.write({ 'esm.ts': "throw new Error('broken')\n" })
    expect((await session.run("require('./esm.ts')")).error).toBe('Error: broken')
    await session.write({ 'esm.ts': 'export const n: number = 3\n' })
    expect(await session.print(cell)).toBe('3 3 3 true true')
  })

  it('may re-export types without the word type', async () => {
    await session.write({
      'types.ts':
        "export interface Row { a: number }\nexport type Side = 'x' | 'y'\nexport const one = 1\n",
      'again.ts':
        "export { Row, one } from './types.ts'\nexport { Side } from './types.ts'\nimport { Row as Of, one as two } from './types.ts'\nexport { Of, two }\nexport const read = (row: Of): number => row.a\n",
    })
    const cell =
      "import { Row, Side, Of, one, two, read } from './again.ts'\nconst row: Row & Of = { a: one + two }, side: Side = 'x'\nconsole.log(read(row), side)"
    expect(await session.print(cell)).toBe('2 x')
  })

  it('may export a value with the name of a type that they import', async () => {
    await session.write({
      'row.ts': 'export interface Row { a: number }\nexport const make = () => 7\n',
      'rows.ts':
        "import { Row } from './row.ts'\nexport { make as Row } from './row.ts'\nexport const row: Row = { a: 1 }\nexport default Row\n",
    })
    const cell = "import { Row, row } from './rows.ts'\nconsole.log(Row(), row.a)"
    expect(await session.print(cell)).toBe('7 1')
  })

  it('may import each other in a cycle, and change', async () => {
    await session.write({
      'round/a.ts':
        "import { b } from './b'\nexport const a = 1\nexport const both = (): number => a + b\n",
      'round/b.ts':
        "import { a } from './a'\nexport const b = 10\nexport const other = (): number => a\n",
    })
    const cell =
      "import { both } from './round/a'\nimport { other } from './round/b'\nconsole.log(both(), other())"
    expect(await session.print(cell)).toBe('11 1')
    await session.write({
      'round/a.ts':
        "import { b } from './b'\nexport const a = 2\nexport const both = (): number => a + b\n",
    })
    expect(await session.print(cell)).toBe('12 2')
    expect(await session.print(cell)).toBe('12 2')
  })

  it('are found by require.resolve under their own paths', async () => {
    await session.write({
      'found/x.ts': 'export const x: number = 5\n',
      'found/by.cjs':
        "exports.by = [require.resolve('./x.ts'), require.resolve('./x'), require('./x').x]\n",
      'found/made.mts':
        "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)\nexport const made = [require.resolve('./x.ts'), require('./x.ts').x]\n",
    })
    const cell =
      "import { by } from './found/by.cjs'\nimport { made } from './found/made.mts'\nconsole.log([...by, ...made].join(' ').replaceAll(process.cwd(), ''))"
    expect(await session.print(cell)).toBe('/found/x.ts /found/x.ts 5 /found/x.ts 5')
  })

  it('in CommonJS are loaded again too', async () => {
    await session.write({
      'old/package.json': '{}',
      'old/inner.cjs': 'exports.n = 1\n',
      'old/outer.cjs': "exports.n = require('./inner.cjs').n\n",
    })
    const cell =
      "console.log(require('./old/outer.cjs').n, (await import('./old/outer.cjs')).default.n)"
    expect(await session.print(cell)).toBe('1 1')
    await session.write({ 'old/inner.cjs': 'exports.n = 2\n' })
    expect(await session.print(cell)).toBe('2 2')
  })
})
