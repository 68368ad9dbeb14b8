import { afterAll, beforeAll, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start({
    'helper.ts': 'export const h = 1\n',
    'helper.cjs': "module.exports = require('not-there')\n",
    'node_modules/browserly/package.json':
      '{ "name": "browserly", "type": "module", "exports": { ".": "./main.js" } }',
    'node_modules/browserly/main.js':
      "export const isBrowser = typeof document !== 'undefined'\nexport default class Chart { y = 1 }",
  })
})
afterAll(() => session[Symbol.asyncDispose]())

/** Everything that a cell shows, without numbers of cells. */
async function shownBy(code: string): Promise<string> {
  const { printed, result, complaint, stack, notices } = await session.run(code)
  return [...notices, printed.trimEnd(), result, complaint, stack]
    .filter((text) => text !== null && text !== '')
    .join('\n')
    .replaceAll(/\bcell-\d+\.ts/gu, 'cell')
    .replaceAll(session.folder, '.')
}

// Cells of public reports about tslab, ijavascript, Deno's kernel and xeus-javascript, and what people write who come from there or from Python.
const cells: readonly (readonly [code: string, shown: string])[] = [
  ['throw 3', '3\n    at cell:1:7'],
  ['throw undefined', 'undefined\n    at cell:1:7'],
  ['await Promise.reject(3)', '3\n    at cell:1:7'],
  ['let foo = 1\nfoo', '1'],
  ["let foo = 'again'\nfoo.length", '5'],
  ['let [one, two] = [1, 2]\nconst { ping, pong } = { ping: 3, pong: 4 }', ''],
  ['[one, two, ping, pong]', '[ 1, 2, 3, 4 ]'],
  ['for (let i = 0; i < 3; i++) { console.log(i) }', '0\n1\n2'],
  [
    "let document = null\nimport Chart, { isBrowser } from 'browserly'\nconsole.log(isBrowser, document, new Chart())",
    'false null Chart { y: 1 }',
  ],
  ["({ a: 1, [Symbol.for('Jupyter.display')]() { return { 'text/plain': 'hello' } } })", 'hello'],
  [
    'const circular: any = {}\ncircular.self = circular\ncircular',
    '<ref *1> { self: [Circular *1] }',
  ],
  ["console.log('%s is %d', 'x', 5)", 'x is 5'],
  [
    '{ a: 1 }',
    'Braces at the beginning of a statement are a block, not an object. Write ({ … }) to see the object.',
  ],
  [
    '{\n  a: 1,\n  b: 2\n}',
    "cell:3:4 - ';' expected. (TS1005)\n  Braces at the beginning of a statement are a block, not an object. Write ({ … }) for an object.",
  ],
  [
    "const { h } from './helper.ts'",
    "cell:1:13 - ',' expected. (TS1005)\n  Write it like this: import { h } from './helper.ts'\ncell:1:18 - ',' expected. (TS1005)\n  Write it like this: import { h } from './helper.ts'",
  ],
  [
    "import cowsay from 'npm:cowsay@1.2'",
    "cell:1:20 - Cannot find module 'npm:cowsay@1.2' or its corresponding type declarations. (TS2307)\n  Cells import packages by their names alone: 'cowsay'. Is it installed? npm install cowsay",
  ],
  [
    "import path from 'jsr:@std/path'",
    "cell:1:18 - Cannot find module 'jsr:@std/path' or its corresponding type declarations. (TS2307)\n  Cells import packages by their names alone: '@std/path'. Is it installed? npx jsr add @std/path",
  ],
  [
    "const openai = await import('https://cdn.jsdelivr.net/npm/openai')",
    "cell:1:29 - Cannot find module 'https://cdn.jsdelivr.net/npm/openai' or its corresponding type declarations. (TS2307)\n  Cells import nothing from the network. Install the package with npm, or save the file beside the notebook and import that.",
  ],
  [
    'Deno.version',
    "cell:1:1 - Cannot find name 'Deno'. (TS2304)\n  Cells run in Node, not in Deno.",
  ],
  [
    "$$.html('<b>x</b>')",
    "cell:1:1 - Cannot find name '$$'. (TS2304)\n  Write console.log(…), or the value alone on the last line of the cell.",
  ],
  [
    'display(3)',
    "cell:1:1 - Cannot find name 'display'. (TS2304)\n  Write: import { show } from '@community-lab/kernel', and show(…)",
  ],
  [
    'count = 5',
    "cell:1:1 - Cannot find name 'count'. (TS2304)\n  Write let count = …: all later cells see the variables of a cell.",
  ],
  [
    'globalThis.rate = 1',
    "cell:1:12 - Element implicitly has an 'any' type because type 'typeof globalThis' has no index signature. (TS7017)\n  Write let rate = …: all later cells see the variables of a cell.",
  ],
  [
    "require('left-pad')",
    "Error: Cannot find module 'left-pad'\n  Is it installed? npm install left-pad\n    at cell:1:1 {\n  code: 'MODULE_NOT_FOUND'\n}",
  ],
  [
    "require('./nowhere')",
    "Error: Cannot find module './nowhere'\n    at cell:1:1 {\n  code: 'MODULE_NOT_FOUND'\n}",
  ],
  [
    "const name: string = 'left-pad'\nawait import(name)",
    "Error: Cannot find package 'left-pad'\n  Is it installed? npm install left-pad\n    at cell:2:13 {\n  code: 'ERR_MODULE_NOT_FOUND'\n}",
  ],
  [
    "require.resolve('left-pad')",
    "Error: Cannot find module 'left-pad'\n  Is it installed? npm install left-pad\n    at cell:1:9 {\n  code: 'MODULE_NOT_FOUND'\n}",
  ],
  [
    "import 'browserly/sub.js'",
    "[Error: Package subpath './sub.js' is not defined by \"exports\" in ./node_modules/browserly/package.json] {\n  code: 'ERR_PACKAGE_PATH_NOT_EXPORTED'\n}\n    at cell:1:1",
  ],
]

it.for(cells)('%j is answered in words for people', async ([code, expected]) => {
  expect(await shownBy(code)).toBe(expected)
})

it('a file that requires a missing package is named, and no file of the kernel', async () => {
  const shown = await shownBy("require('./helper.cjs')")
  expect(shown).toContain("Cannot find module 'not-there'\nRequire stack:\n- ./helper.cjs\n")
  expect(shown).not.toContain('cell.mjs')
  expect(shown).not.toContain('kernel/')
})
