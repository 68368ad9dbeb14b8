import { afterAll, beforeAll, expect, it } from 'vitest'
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

it('all else of it has no effect', async () => {
  expect((await session.run('const loose = (x) => x')).complaint).toContain('TS7006')
})
