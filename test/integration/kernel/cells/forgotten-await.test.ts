import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
  await session.print(
    'const rows = Promise.resolve([1, 2])\nconst count = Promise.resolve(2)\nconst found = Promise.resolve({ a: 1 })\nasync function save(row: number) { await null; return row > 1 }\nlet ready = false as boolean\nlet missing: number | undefined\nconst maybe = { close: save } as { close(row?: number): Promise<boolean> } | undefined\nclass Job extends Promise<number> {}\nclass Task<T> extends Promise<T> {}\nconst task = () => Task.resolve(1) as Task<number>\nconst job = (): Job => Job.resolve(1) as Job\nconst both = () => Object.assign(save(1), { pid: 3 })\nconst run = (_parts: TemplateStringsArray) => save(1)',
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

const dropped = (line: number, name: string): string =>
  `Line ${line}: nothing waits for ${name}, so what follows runs before it is done. Write \`await\` before it, or \`void\` where that is meant.`

it('a call that nothing waits for is told, and the cell runs', async () => {
  const { notices, result } = await session.run('save(1)\nsave(\n  2\n)\n3')
  expect(result).toBe('3')
  expect(notices).toEqual([dropped(1, 'save(…)'), dropped(2, 'save(…)')])
})

describe('a promise that is dropped is told', () => {
  it.each([
    ['after a comma', 'save(1), save(2)\n1', ['save(…)', 'save(…)']],
    ['before a comma of the last line', 'save(1), save(2)', ['save(…)']],
    ['after a condition', 'ready && save(1)\n1', ['save(…)']],
    ['as an alternative', 'ready || save(1)\n1', ['save(…)']],
    ['where there may be no value', 'missing ?? save(1)\n1', ['save(…)']],
    ['as one of two', 'ready ? save(1) : (save(2) as Promise<boolean>)\n1', ['save(…)', 'save(…)']],
    ['of a method that may be missing', 'maybe?.close()\n1', ['maybe?.close(…)']],
    ['that is made', 'new Promise(() => {})\n1', ['new Promise(…)']],
    ['of a tag', 'run`ls`\n1', ['run`…`']],
    ['of a subclass', 'job()\n1', ['job(…)']],
    ['of a generic subclass', 'task()\n1', ['task(…)']],
    ['with more members', 'both()\n1', ['both(…)']],
    ['in a block of the last statement', 'if (ready) save(1)', ['save(…)']],
  ])('%s', async (_where, code, names) => {
    const { notices, error } = await session.run(code)
    expect([error, notices]).toEqual([null, names.map((name) => dropped(1, name))])
  })

  it.each([
    ['[1, 2].map(save)\n1', '[1, 2].map(…)', '`await Promise.all(…)` around it'],
    ['ready && [1, 2].map(save)\n1', '[1, 2].map(…)', '`await Promise.all(…)` around it'],
    [
      '[1, 2].map(save).reverse()\n1',
      '[1, 2].map(save).reverse(…)',
      '`await Promise.all(…)` around it',
    ],
    ['[1, 2].forEach(save)', '[1, 2].forEach(…)', '`for (const each of …) await …`'],
    ['new Set([1]).forEach(save)\n1', 'new Set([1]).forEach(…)', '`for (const each of …) await …`'],
  ])('of several: %s', async (code, name, advice) => {
    const { notices } = await session.run(code)
    expect(notices.length).toBe(1)
    expect(notices[0]).toContain(`Line 1: nothing waits for the promises of ${name}, so`)
    expect(notices[0]).toContain(`Write ${advice}`)
  })

  it('of several on the last line, which is shown', async () => {
    const { notices, printed, result } = await session.run('[1].map(save)')
    expect(notices).toEqual([])
    expect(result).toMatch(/^\[ Promise /u)
    expect(printed).toBe(
      'The last line is a list of promises. Write `await Promise.all(…)` around it to wait for their values.\n',
    )
  })
})

it.each([
  'await save(1)\n1',
  'void save(1)\n1',
  'ready && void save(1)\n1',
  'let pending = [1].map(save)\npending.push(save(2))\nawait Promise.all(pending)',
  '[1].forEach((row) => void save(row))\n1',
  'ready && save(1).catch(console.error)\n1',
  'count\n1',
  'let held\nheld = save(1)\nawait held',
  'const typedOnly = () => save(1)\nawait typedOnly()',
  'await save(1), await save(2)\n1',
  'setTimeout(async () => {}, 0)\n1',
  'save(1).catch(console.error)\n1',
  'let kept = [1].map(save)\nkept.reverse()\nkept.sort()\nawait Promise.all(kept)',
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
