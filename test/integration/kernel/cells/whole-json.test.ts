import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

const keysOf = (specifiers: readonly string[]): string =>
  [
    ...specifiers.map((each, index) => `import * as m${index} from '${each}'`),
    `export const keys = [${specifiers.map((_, index) => `Object.keys(m${index}).sort().join()`).join()}]`,
  ].join('\n')

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start({
    'tsconfig.json':
      '{ "compilerOptions": { "paths": { "@data/*": ["./data/*"], "site": ["./data/site.json"], "counts.json": ["./data/kind.ts"] } } }',
    'data/counts.json': '{ "a": 1, "b": 2 }',
    'data/site.json': '{ "default": 3, "name": "n" }',
    'data/rows.json': '[{ "n": 1 }]',
    'data/kind.ts': 'export const kind = 1',
    'node_modules/with-json/package.json': '{ "name": "with-json" }',
    'node_modules/with-json/plain.json': '{ "of": "a package" }',
    'node_modules/with-json/named.json': '{ "default": 4, "of": "a package" }',
  })
})
afterAll(() => session[Symbol.asyncDispose]())

describe.each(['ts', 'js', 'mjs', 'cts'])('`import * as` of JSON in a .%s file', (extension) => {
  it.each([
    [['./data/counts.json', '@data/counts.json'], 'a,b a,b'],
    [['./data/rows.json', '@data/rows.json'], '0 0'],
    [['./data/site.json', '@data/site.json', 'site'], 'default,name default,name default,name'],
    [['with-json/plain.json', 'with-json/named.json'], 'of default,of'],
  ])('has the members that its type has: %j', async (specifiers, expected) => {
    const name = `of-${specifiers.join('-').replaceAll(/\W/gu, '')}.${extension}`
    await session.write({ [name]: keysOf(specifiers) })
    const cell = `import { keys } from './${name}'\nconsole.log(...keys)`
    expect(await session.print(cell)).toBe(expected)
  })

  it('follows the file when it gets a member `default`, and when it loses it', async () => {
    const name = `changed-${extension}`
    const file = `of-${name}.${extension}`
    const cell = `import { keys } from './${file}'\nconsole.log(...keys)`
    await session.write({
      [file]: keysOf([`./${name}.json`]),
      [`${name}.json`]: '{ "a": 1 }',
    })
    expect(await session.print(cell)).toBe('a')
    await session.write({ [`${name}.json`]: '{ "a": 1, "default": 2 }' })
    expect(await session.print(cell)).toBe('a,default')
    await session.write({ [`${name}.json`]: '{ "b": 10 }' })
    expect(await session.print(cell)).toBe('b')
  })
})

it('a name that ends in .json may be that of a module, by `paths`', async () => {
  await session.write({ 'of-kind.ts': keysOf(['counts.json']) })
  const cell = "import { keys } from './of-kind.ts'\nconsole.log(...keys)"
  expect(await session.print(cell)).toBe('kind')
})

it('own files import members of the JSON of a package by name', async () => {
  await session.write({ 'of-name.ts': "export { of } from 'with-json/plain.json'" })
  expect(await session.print("import { of } from './of-name.ts'\nconsole.log(of)")).toBe(
    'a package',
  )
})

it('an error in a .js file that imports JSON names its line', async () => {
  await session.write({
    'broken.js':
      "import first, * as all from './data/counts.json'\n\nexport const n = 1\nthrow new Error(`${first.a} ${all.b}`)",
  })
  const { error, stack } = await session.run("import { n } from './broken.js'\nn")
  expect(error).toBe('Error: 1 2')
  expect(stack).toContain('broken.js:4:7')
})
