import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Write files in the notebook's folder. Each replaces an older one atomically. */
async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(session.folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }
}

/** Install a package in the notebook's folder. */
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

  it('that is invalid is named in the error', async () => {
    await write({ 'broken.json': '{' })
    expect((await session.run("import broken from './broken.json'")).error).toMatch(
      /^SyntaxError: broken\.json: Expected property name/u,
    )
  })

  it('may begin with a byte order mark', async () => {
    await write({
      'marked.json': '\uFEFF{ "rows": 3 }',
      'of-marked.ts': "import marked from './marked.json'\nexport const { rows } = marked",
    })
    expect(await session.print("import { rows } from './of-marked.ts'\nconsole.log(rows)")).toBe(
      '3',
    )
    expect(
      await session.print("import marked from './marked.json'\nconsole.log(marked.rows)"),
    ).toBe('3')
  })

  it('that is a list is the list when the whole module is imported', async () => {
    await write({ 'rows.json': '[{ "n": 1 }, { "n": 2 }]' })
    const cell =
      "import * as list from './rows.json'\nconsole.log(list.length, list.map((row) => row.n))"
    expect(await session.print(cell)).toBe('2 [ 1, 2 ]')
  })

  it('has no members but its own when the whole module is imported, as its type says', async () => {
    await write({
      'counts.json': '{ "a": 1, "b": 2 }',
      'named.json': '{ "default": 3, "a": 1 }',
      'of-whole.ts': [
        "import * as counts from './counts.json'",
        "import * as list from './rows.json'",
        "import * as named from './named.json'",
        "import * as there from 'whole-json/data.json'",
        'export const values: number[] = Object.values(counts)',
        'export const found = [list.length, named.a, named.default.default, Object.keys(there)]',
      ].join('\n'),
    })
    await install('whole-json', { type: 'module' }, { 'data.json': '{ "of": "a package" }' })
    const cell = [
      "import * as counts from './counts.json'",
      "import * as named from './named.json'",
      "import * as there from 'whole-json/data.json'",
      'const values: number[] = Object.values(counts)',
      'console.log(values, named.a, named.default.default, Object.keys(there))',
    ].join('\n')
    expect(await session.print(cell)).toBe("[ 1, 2 ] 1 3 [ 'of' ]")
    expect(
      await session.print(
        "import { values, found } from './of-whole.ts'\nconsole.log(values, found)",
      ),
    ).toBe("[ 1, 2 ] [ 2, 1, 3, [ 'of' ] ]")
    // No cell has named this path, so the file is compiled when it is loaded.
    expect(
      await session.print("const late = './of-whole'\nconsole.log(require(late).values)"),
    ).toBe('[ 1, 2 ]')
  })

  it('is the same in a CommonJS file, where default imports are what their types say', async () => {
    await write({
      'of-common.cts': [
        "import first, * as counts from './counts.json'",
        "import * as list from './rows.json'",
        "import fs from 'node:fs'",
        'export const found = [first.a, Object.values(counts), list.length, typeof fs.readFileSync]',
      ].join('\n'),
    })
    expect(
      await session.print("import { found } from './of-common.cts'\nconsole.log(...found)"),
    ).toBe('1 [ 1, 2 ] 2 function')
  })

  it('that is a list has the members of a list when import() gives it', async () => {
    expect(
      await session.print(
        "const given = await import('./rows.json')\nconsole.log(given.length, given.default.length, given.map(({ n }) => n))",
      ),
    ).toBe('2 2 [ 1, 2 ]')
  })

  it('exports its members in own files, too', async () => {
    await write({
      'site.json': '{ "name": "site", "a b": 2, "default": 3, "class": 4 }',
      'nothing.json': 'null',
      'of-json.ts': [
        "import nothing from './nothing.json'",
        "import site, { name } from './site.json' with { type: 'json' }",
        "import * as all from './site.json'",
        "export const found = [nothing, site.default, name, all['a b'], all.class]",
      ].join('\n'),
    })
    expect(await session.print("import { found } from './of-json.ts'\nconsole.log(found)")).toBe(
      "[ null, 3, 'site', 2, 4 ]",
    )
  })

  it('of a package needs no import attribute', async () => {
    await install('has-json', { type: 'module' }, { 'data.json': '{ "of": "a package" }' })
    expect(await session.print("import data from 'has-json/data.json'\nconsole.log(data.of)")).toBe(
      'a package',
    )
  })
})

describe('an import', () => {
  it('may be dynamic, and import.meta exists', async () => {
    await write({ 'dynamic.ts': 'export const here = 5\n' })
    const cell =
      "const { here } = await import('./dynamic')\nconst late = async () => (await import('./dynamic')).here\nconsole.log(here, await late(), import.meta.dirname === process.cwd(), import.meta.resolve('./dynamic.ts').endsWith('/dynamic.ts'))"
    expect(await session.print(cell)).toBe('5 5 true true')
  })

  it('is loaded before the first line, in the order of imports', async () => {
    await write({
      'first.ts': "console.log('first')\nexport {}\n",
      'second.ts': "console.log('second')\nexport {}\n",
    })
    expect(await session.print("console.log('cell')\nimport './first'\nimport './second'")).toBe(
      'first\nsecond\ncell',
    )
  })

  it('replaces a variable that a function of an earlier cell sets', async () => {
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
