import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

describe('a cell with a direct call of eval', () => {
  it('keeps its variables', async () => {
    expect(await session.print("const square = eval('(n) => n * n')\nconsole.log(square(3))")).toBe(
      '9',
    )
    expect(await session.print("eval('1')\nconsole.log(square(4))")).toBe('16')
  })
})

describe('a name of CommonJS', () => {
  it('exists as its types say', async () => {
    expect(
      await session.print(
        "console.log(require.resolve('node:fs'), Object.keys(require.cache).length >= 0, require.main === module)",
      ),
    ).toBe('node:fs true false')
    expect(await session.print('console.log(__dirname, __filename)')).toBe(
      `${session.folder} ${join(session.folder, 'cell.mjs')}`,
    )
    expect(
      await session.print('module.exports = { a: 1 }\nexports.b = 2\nconsole.log(module.exports)'),
    ).toBe('{ a: 1 }')
  })

  it('resolves paths from where require does', async () => {
    expect(await session.print("console.log(require.resolve('acorn').length > 0)")).toBe('true')
    expect(await session.print("console.log(import.meta.resolve('acorn').slice(0, 5))")).toBe(
      'file:',
    )
    const folder = join(session.folder, 'node_modules/acorn')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'index.js'), "module.exports = 'own'")
    expect(await session.print("console.log(require.resolve('acorn'))")).toBe(
      join(folder, 'index.js'),
    )
  })

  it('can be declared by a cell itself', async () => {
    const cell =
      "import { dirname } from 'node:path'\nconst __dirname = dirname('/a/b')\nconsole.log(__dirname)"
    expect(await session.print(cell)).toBe('/a')
    expect(await session.print('console.log(__dirname)')).toBe('/a')
  })
})

describe('a stack of an object that is not an error', () => {
  it('begins as in Node', async () => {
    expect(await session.print("console.trace('here %d', 5)")).toMatch(
      /^Trace: here 5\n {4}at cell-\d+\.ts:1:9$/u,
    )
    const cell =
      "const odd = { name: 'Odd' }\nError.captureStackTrace(odd)\nconsole.log(Reflect.get(odd, 'stack').split('\\n')[0])"
    expect(await session.print(cell)).toBe('Odd')
  })
})

describe('reading lines where nobody can be asked', () => {
  it('ends, also after earlier reads', async () => {
    const cell =
      "import { createInterface } from 'node:readline'\nlet count = 0\nconst input = process.stdin\ninput.resume()\nawait new Promise(setImmediate)\ninput.pause()\nawait new Promise((done) => setTimeout(done, 20))\nfor await (const line of createInterface({ input })) count += line.length\nconsole.log(count)"
    expect(await session.print(cell)).toBe('0')
    const again =
      "import { createInterface as lines } from 'node:readline'\nprocess.stdout.write('a question? ')\nconst first = lines({ input: process.stdin })\nfirst.close()\nprocess.stdout.write('\\n')\nlet more = 0\nfor await (const line of lines({ input: process.stdin })) more += line.length\nconsole.log(more)"
    expect(await session.print(again)).toBe('a question? \n0')
  })
})

describe('a diagnostic', () => {
  it('gives no advice that a notebook cannot follow', async () => {
    const { complaint } = await session.run('document.title')
    expect(complaint).toMatch(/^cell-\d+\.ts:1:1 - Cannot find name 'document'\. \(TS2584\)/u)
    expect(complaint).not.toContain('compiler option')
  })

  it('names the cell that did not run because of its errors', async () => {
    await session.run("const wanted: number = 'text'\nfunction alsoWanted() {}")
    expect((await session.run('wanted')).complaint).toMatch(
      /Cannot find name 'wanted'\. \(TS2304\)\n {2}Cell \d+, which declares it, did not run because of its errors\.$/u,
    )
    await session.run('const wanted = 5')
    expect(await session.print('console.log(wanted)')).toBe('5')
  })

  it('explains that a class was declared again', async () => {
    await session.run('class Base { one = 1 }\nclass Derived extends Base {}')
    const { misfits } = await session.run('class Base { two = 2 }')
    expect(misfits.join('\n')).toMatch(
      /^Base is another one now; what cell \d+ declared with it was written for the one before$/u,
    )
  })
})

describe('loading packages in advance', () => {
  it('prints nothing into cells', async () => {
    session.runner.warm()
    const cell = "await import('@community-lab/kernel')\nawait new Promise(setImmediate)"
    expect(await session.print(cell)).toBe('')
  })
})

describe('a process that ends', () => {
  it('prints no message of its debugger', async () => {
    const { printed, error } = await session.run('process.exit(3)')
    expect(error).toMatch(/^ProcessExit: .*exit code 3/u)
    expect(printed).toBe('')
  })

  it('says so when it is out of memory, without the addresses of V8', async () => {
    // Only the process of this session's cells is started with it.
    process.env['NODE_OPTIONS'] = '--max-old-space-size=48'
    await using small = await CellSession.start()
    delete process.env['NODE_OPTIONS']
    const cell =
      "console.log('before')\nconst all: number[][] = []\nfor (;;) all.push(new Array<number>(10_000).fill(1.5))"
    const { printed, error } = await small.run(cell)
    expect(error).toMatch(/^ProcessExit: .*out of memory: its objects took \d+ MiB; NODE_OPTIONS/u)
    expect(printed).toBe('before\n')
    expect(await small.print('console.log(1)')).toBe('1')
  })
})
