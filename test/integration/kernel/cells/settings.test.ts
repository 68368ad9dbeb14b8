import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

const shared =
  'const found: unknown[] = []\nfunction note(target: object, key: string | undefined, index?: unknown) {\n  found.push(key, typeof index)\n}\n'
const decorated =
  '@((constructor: Function) => void found.push(constructor.name))\nclass Marked {\n  @note one = 1\n  @note two(@note of: number) { return of }\n}\n'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start({
    'base.json': '{ "compilerOptions": { "experimentalDecorators": true, "strict": false } }',
    'tsconfig.json': '{ "extends": "./base.json", /* as in many projects */ "include": ["src"] }',
    'own.ts': `export ${shared.replace('function', 'export function')}${decorated}new Marked()\n`,
    'late.cts': `${shared}${decorated}new Marked()\nexport = found\n`,
  })
})
afterAll(() => session[Symbol.asyncDispose]())

const expected = "[ 'one', 'undefined', 'two', 'number', 'two', 'object', 'Marked' ]"

it('a tsconfig.json beside the notebook gives cells the decorators of before TypeScript 5', async () => {
  await session.print(shared)
  expect(await session.print(`${decorated}new Marked()\nconsole.log(found)`)).toBe(expected)
})

it('so it does for own files, imported or required', async () => {
  expect(await session.print("import { found as own } from './own.ts'\nconsole.log(own)")).toBe(
    expected,
  )
  expect(await session.print("console.log(require('./late.cts'))")).toBe(expected)
})

describe('paths of a tsconfig.json beside the notebook', () => {
  let project: CellSession
  beforeAll(async () => {
    project = await CellSession.start({
      'config/base.json': '{ "compilerOptions": { "paths": { "@lib/*": ["../lib/*"] } } }',
      'tsconfig.json': '{ "extends": "./config/base.json" }',
      'lib/rates.ts':
        "import { unit } from '@lib/unit.js'\nexport const rate = (n: number) => `${n} ${unit}`",
      'lib/unit.ts': "export const unit: string = 'Mbit/s'",
      'lib/data.json': '{ "n": 3 }',
      'node_modules/@lib/other/package.json': '{ "name": "@lib/other", "main": "main.js" }',
      'node_modules/@lib/other/main.js': "exports.of = 'a package'",
    })
  })
  afterAll(() => project[Symbol.asyncDispose]())

  it('find own files from cells and from own files, again after a change', async () => {
    const cell =
      "import { rate } from '@lib/rates'\nimport data from '@lib/data.json'\nconsole.log(rate(data.n))"
    expect(await project.print(cell)).toBe('3 Mbit/s')
    await project.write({ 'lib/unit.ts': "export const unit: string = 'Gbit/s'" })
    expect(await project.print(cell)).toBe('3 Gbit/s')
    expect(
      await project.print(
        "console.log((await import('@lib/unit')).unit, require('@lib/rates').rate(1))",
      ),
    ).toBe('Gbit/s 1 Gbit/s')
  })

  it('have the types of these files', async () => {
    expect((await project.run("import { unit } from '@lib/unit'\nunit * 2")).complaint).toContain(
      'TS2362',
    )
  })

  it('leave packages that no file has the name of', async () => {
    expect(await project.print("import other from '@lib/other'\nconsole.log(other.of)")).toBe(
      'a package',
    )
    expect((await project.run("import none from '@lib/none'")).complaint).toContain(
      "Cannot find module '@lib/none'",
    )
  })
})

it('baseUrl of a tsconfig.json beside the notebook finds own files by their names alone', async () => {
  await using project = await CellSession.start({
    'tsconfig.json':
      '{ "compilerOptions": { "baseUrl": "src", "paths": { "one": ["none", "two"] } } }',
    'src/two.ts': 'export const n = 2',
  })
  expect(
    await project.print("import { n } from 'one'\nimport { n as m } from 'two'\nconsole.log(n, m)"),
  ).toBe('2 2')
})

it('all else of it has no effect', async () => {
  expect((await session.run('const loose = (x) => x')).complaint).toContain('TS7006')
})
