import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
  await session.write({
    'node_modules/failing/package.json': '{ "name": "failing", "version": "1.0.0" }',
    'node_modules/failing/index.js': [
      "exports.later = () => new Promise((_, no) => setImmediate(() => no(new Error('later'))))",
      "exports.coded = () => new Promise((_, no) => setImmediate(() => no(Object.assign(new Error('coded'), { code: 7 }))))",
      "exports.bare = () => new Promise((_, no) => setImmediate(() => no('no error')))",
      "exports.rows = async function* () { yield 1; throw 'cut' }",
      "exports.text = () => { throw 'text' }",
      "exports.deep = (n) => { if (n === 0) throw new Error('deep'); exports.deep(n - 1) }",
    ].join('\n'),
  })
  await session.print("import failing from 'failing'")
})
afterAll(() => session[Symbol.asyncDispose]())

describe('a failed cell has its line in the error', () => {
  it.for([
    ['a library rejects with an error', 'failing.later()', 'later'],
    ['a library rejects with an error that has properties', 'failing.coded()', 'coded'],
    ['a library rejects with a value that is no error', 'failing.bare()', "thrown: 'no error'"],
    ['what it awaits was rejected before', "Promise.reject('early')", "thrown: 'early'"],
  ] as const)('when %s', async ([, awaited, message]) => {
    const { error, stack } = await session.run(
      `let tries = 0\nfor (const each of [1]) {\n  tries += each\n  await ${awaited}\n}`,
    )
    expect(error).toBe(`Error: ${message}`)
    expect(stack).toMatch(/^ {4}at cell-\d+\.ts:4:9(?: \{)?$/mu)
  })

  it('when the cell throws a value that is not an error', async () => {
    const { stack } = await session.run("try {\n  await failing.bare()\n} catch {}\nthrow 'text'")
    expect(stack).toMatch(/^'text'\n {4}at cell-\d+\.ts:4:7$/u)
  })

  it('when the stack of a library is deep', async () => {
    const { stack } = await session.run('let depth = 30\nfailing.deep(depth)')
    expect(stack).toMatch(/^ {4}at cell-\d+\.ts:2:9$/mu)
    expect(stack.split('\n').length).toBeLessThan(14)
  })

  it('when a module fails while it is imported', async () => {
    await session.write({
      'bad.ts': "import './data.json'\nexport const bad = 1",
      'data.json': '{',
    })
    const { error, stack } = await session.run("let n = 1\n\nimport { bad } from './bad.ts'")
    expect(error).toMatch(/^SyntaxError: \S*\/data\.json: Expected property name/u)
    expect(stack).toMatch(/^ {4}at cell-\d+\.ts:3:1$/mu)
  })

  it.for([
    ['a loop over an async iterator fails', 'for await (const each of failing.rows()) await each'],
    ['a call throws a text', "(() => { throw 'text' })()"],
    ['a class cannot be made', 'class Made extends failing.nothing {}'],
    ['a constant gets its value', 'const value = failing.text()'],
  ] as const)('when %s', async ([, statement]) => {
    const { stack } = await session.run(
      `await Promise.resolve()\nfunction later() {}\n  ${statement}`,
    )
    expect(stack).toMatch(/^ {4}at (?:\S+ \()?cell-\d+\.ts:3:/mu)
  })

  it.for([
    ['throws a text', 'using', "{ [Symbol.dispose]() { throw 'late' } }"],
    ['fails in an earlier cell', 'using', 'new Held()'],
    [
      'waits and throws a text',
      'await using',
      "{ async [Symbol.asyncDispose]() { await null; throw 'late' } }",
    ],
    ['waits and fails in an earlier cell', 'await using', 'new Held()'],
    ['fails in an own file', 'await using', 'await (await import("./held.ts")).open()'],
    ['is missing', 'await using', '({} as AsyncDisposable)'],
  ] as const)('when a value is disposed of, which %s', async ([, word, value]) => {
    await session.write({
      'held.ts':
        "export async function open() {\n  return { async [Symbol.asyncDispose]() { await null; throw new Error('late') } }\n}",
    })
    await session.print(
      "class Held {\n  [Symbol.dispose]() { throw new Error('late') }\n  async [Symbol.asyncDispose]() { throw new Error('late') }\n}",
    )
    const { stack } = await session.run(
      `using before = { [Symbol.dispose]() {} }\nawait null\n${word} held = ${value}\nusing after = { [Symbol.dispose]() {} }\nlet last = 1`,
    )
    expect(stack).toMatch(/^ {4}at (?:.* \()?cell-\d+\.ts:3:/mu)
  })

  it('when a value of a block or of a loop is disposed of', async () => {
    const held = "{ async [Symbol.asyncDispose]() { await null; throw 'late' } }"
    for (const cell of [
      `await null\n{\n  await using held = ${held}\n}\nlet last = 1`,
      `await null\nfor (await using held of [${held}]) held\nlet last = 1`,
    ])
      expect((await session.run(cell)).stack).toMatch(/^ {4}at cell-\d+\.ts:2:1$/mu)
  })

  it('that of the statement, for an error from elsewhere', async () => {
    const cell = "try {\n  await Promise.reject('x')\n} catch {}\nfailing.deep(0)"
    await session.print('Error.stackTraceLimit = 0')
    const { stack } = await session.run(cell)
    await session.print('Error.stackTraceLimit = 100')
    expect(stack).toMatch(/^ {4}at cell-\d+\.ts:4:1$/mu)
    expect(stack).not.toMatch(/cell-\d+\.ts:2/u)
  })
})

it('a using declaration in a case needs braces, and the error says so', async () => {
  const { complaint } = await session.run(
    'switch (1 as number) {\n  case 1:\n    using held = { [Symbol.dispose]() {} }\n}',
  )
  expect(complaint).toMatch(
    /^cell-\d+\.ts:3:5 - `using` cannot stand directly in a case\. Put what belongs to the case into braces/u,
  )
})
