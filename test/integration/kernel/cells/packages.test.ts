import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Install a package in the notebook's folder. */
const install = (
  name: string,
  json: object,
  files: Readonly<Record<string, string>>,
): Promise<void> =>
  session.write(
    Object.fromEntries(
      Object.entries({
        'package.json': JSON.stringify({ name, version: '1.0.0', ...json }),
        ...files,
      }).map(([file, text]) => [`node_modules/${name}/${file}`, text]),
    ),
  )

describe('a package', () => {
  it('may be of ES modules with a top-level await', async () => {
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

  it('has live bindings', async () => {
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

  it('may be of CommonJS, with and without a default export of its own', async () => {
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

  it('of both kinds is imported as an ES module and required as CommonJS', async () => {
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

  it('may have no types, or only types', async () => {
    await install('untyped', { main: 'i.js' }, { 'i.js': 'exports.x = 5\n' })
    await install(
      'only-types',
      { types: 'i.d.ts' },
      { 'i.d.ts': 'export interface Feature { id: number }\n' },
    )
    const cell =
      "import { median } from 'd3-array'\nimport { x } from 'untyped'\nimport { Feature } from 'only-types'\nimport type { Feature as Other } from 'only-types'\nconst feature: Feature & Other = { id: x }\nconsole.log(feature, median([3, 5, 9]))"
    expect(await session.print(cell)).toBe('{ id: 5 } 5')
    expect(await session.print('const again: Feature = feature\nconsole.log(again.id)')).toBe('5')
  })

  it('may have been installed a moment ago', async () => {
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

  it('that is installed again is reported, because the kernel still uses the earlier one', async () => {
    const files = { 'i.js': 'exports.x = 1\n', 'i.d.ts': 'export const x: number\n' }
    const json = { main: './i.js', types: './i.d.ts' }
    await install('renewed', json, files)
    const cell = "import { x } from 'renewed'\nconsole.log(x)"
    expect(await session.print(cell)).toBe('1')
    expect(await session.print(cell)).toBe('1')
    // While npm is writing it, nothing can be reported yet.
    await session.write({
      'node_modules/renewed/package.json': '{"name": "renewed", "main": "./i.js", ',
    })
    expect(await session.print("console.log(require('renewed').x)")).toBe('1')
    await install('renewed', { ...json, version: '1.1.0' }, { ...files, 'i.js': 'exports.x = 2\n' })
    const told =
      'renewed was installed after this kernel had loaded it: version 1.0.0 is in use, and there is version 1.1.0 now. Restart the kernel to use it.\n'
    expect(await session.print(cell)).toBe(`${told}1`)
    expect(await session.print("console.log(require('renewed').x)")).toBe('1')
  })

  it('in the notebook’s folder precedes that of the kernel, which is the fallback', async () => {
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

  it('of the kernel has types that are kept by what is derived from it', async () => {
    await session.print(
      "import { Plot, connect } from '@community-lab/kernel'\nconst figure = Plot.plot({ marks: [Plot.dot([{ a: 1, b: 2 }], { x: 'a', y: 'b' })] })\nconst lend = () => connect()",
    )
    expect(await session.print('console.log(figure.outerHTML.slice(0, 4))')).toBe('<svg')
    expect((await session.run('const wrong: number = lend()')).complaint).toContain(
      "Type 'Lab' is not assignable to type 'number'. (TS2322)",
    )
  })

  it('that draws figures, Observable Plot, needs no browser', async () => {
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

  it('that does not export a path is named as the cause', async () => {
    const { complaint, error } = await session.run("const path = 'waits/i.js'\nawait import(path)")
    expect([complaint, error]).toEqual([
      null,
      expect.stringContaining("Package subpath './i.js' is not defined"),
    ])
  })
})
