import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
  await session.print(
    'const rows = Promise.resolve([1, 2])\nconst count = Promise.resolve(2)\nconst found = Promise.resolve({ a: 1 })\nasync function save(row: number) { return row > 1 }',
  )
})
afterAll(() => session[Symbol.asyncDispose]())

describe('a promise in place of its value is an error that asks for await', () => {
  it.each([
    ['in a text', 'console.log(`${count} rows`)'],
    ['joined to a text', "'rows: ' + count"],
    ['negated', 'console.log(!count)'],
    ['with a sign', '-count'],
    ['as a condition', 'while (count) break'],
    ['as a case', 'switch (count) { case 2: break }'],
    ['indexed', 'rows[0]'],
    ['indexed by a name', "found['a']"],
    ['taken apart', 'const { a } = found'],
    ['spread', '({ ...found })'],
    ['iterated', 'for (const row of rows) console.log(row)'],
    ['assigned', 'const number: number = count'],
    ['passed', 'parseInt(count)'],
    ['as JSON', 'JSON.stringify(rows)'],
    ['as an object', 'Object.keys(found)'],
    ['of an async function that chooses', '[1, 2].filter(async (row) => row > 1)'],
    ['of an async function with a name', '[1, 2].some(save)'],
    [
      'of an async function, where there may be no array',
      '[[1, 2]][0]?.find(async (row) => row > 1)',
    ],
    ['of an async function, with numbers', 'new Float64Array(2).filter(async (row) => row > 1)'],
    ['as members', 'Object.assign({}, found)'],
  ])('%s', async (_where, code) => {
    const { complaint } = await session.run(code)
    expect(complaint).toContain('It is a promise. Write `await` before it to wait for its value.')
  })
})

it('a promise of another type than the promise that is wanted is not asked to be awaited', async () => {
  const { complaint } = await session.run(
    'const take = (value: Promise<string>) => value\ntake(count)',
  )
  expect(complaint).toContain("'number' is not assignable to type 'string'")
  expect(complaint).not.toContain('await')
})

it('a call that nothing waits for is told, and the cell runs', async () => {
  const { notices, result } = await session.run('save(1)\nsave(\n  2\n)\n3')
  expect(result).toBe('3')
  expect(notices).toEqual(
    [1, 2].map(
      (line) =>
        `Line ${line}: nothing waits for save(…), so what follows runs before it is done. Write \`await\` before it, or \`void\` where that is meant.`,
    ),
  )
})

it.each([
  'await save(1)\n1',
  'void save(1)\n1',
  'save(1).catch(console.error)\n1',
  'const later = save(1)\nawait later',
  'console.log(`${await count} rows`, !(await found).a)',
  'await Promise.all([1, 2].map(save))',
  'const tag = (_parts: TemplateStringsArray, value: object) => typeof value\ntag`${count}`',
  'let cache: Promise<number> | undefined\nif (!cache) cache = count\n1',
  'const typed: Promise<unknown> = count\ntypeof typed',
  "import { Readable } from 'node:stream'\nawait Readable.from([1, 2]).filter(async (row) => row > 1).toArray()",
  'const job = Object.assign(count.then(String), { cancel() {} })\njob.cancel()',
])('there is no complaint about %j', async (code) => {
  const { complaint, notices } = await session.run(code)
  expect([complaint, notices]).toEqual([null, []])
})
