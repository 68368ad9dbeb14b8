import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

let session: CellSession
beforeAll(async () => {
  session = await CellSession.start()
})
afterAll(() => session[Symbol.asyncDispose]())

/** Compile a cell that must fail. Returns its diagnostics, with `cell:` for its name and without numbers of cells. */
async function complaintOf(code: string): Promise<string | null> {
  const { complaint, printed } = await session.run(code)
  expect(printed).toBe('')
  return (
    complaint?.replaceAll(/\bcell-\d+\.ts/gu, 'cell').replaceAll(/\b[Cc]ell \d+/gu, 'cell N') ??
    null
  )
}

describe('a cell with a type error', () => {
  it.for([
    [
      'a wrong value',
      "console.log('ran')\nconst n: number = 'x'",
      "cell:2:7 - Type 'string' is not assignable to type 'number'. (TS2322)",
    ],
    [
      'a wrong argument, explained in steps',
      "const area = (box: { side: { w: number } }) => box.side.w\nconst box = { side: { w: 'wide' } }\narea(box)",
      "cell:3:6 - Argument of type '{ side: { w: string; }; }' is not assignable to parameter of type '{ side: { w: number; }; }'. (TS2345)\n  The types of 'side.w' are incompatible between these types.\n    Type 'string' is not assignable to type 'number'.",
    ],
    [
      'a name that nobody declared',
      'console.log(nowhere)',
      "cell:1:13 - Cannot find name 'nowhere'. (TS2304)",
    ],
    [
      'a name that is nearly right',
      'const latency = 1\nlatencey',
      "cell:2:1 - Cannot find name 'latencey'. Did you mean 'latency'? (TS2552)",
    ],
    [
      'what may be null',
      "const found = ['a'].find((x) => x === 'b')\nfound.length",
      "cell:2:1 - 'found' is possibly 'undefined'. (TS18048)",
    ],
    [
      'a parameter without a type',
      'const f = (x) => x',
      "cell:1:12 - Parameter 'x' implicitly has an 'any' type. (TS7006)\n  Write its type after its name, like this: (x: number)",
    ],
    [
      'what was caught, which may be anything',
      'try {\n} catch (problem) { problem.message }',
      "cell:2:21 - 'problem' is of type 'unknown'. (TS18046)\n  Anything can be thrown. Write `(problem as Error).message`, or `if (problem instanceof Error)` before it",
    ],
    [
      'what is unknown for another reason',
      'const problem: unknown = 1\ntry { problem.x } catch (problem) { }',
      "cell:2:7 - 'problem' is of type 'unknown'. (TS18046)\n  Say what it is where it gets its value, like this: (await response.json()) as { rows: number[] }",
    ],
    [
      'what Python calls by another name',
      'print(1)',
      "cell:1:1 - Cannot find name 'print'. (TS2304)\n  Write console.log(…), or the value alone on the last line of the cell.",
    ],
    [
      'imports as in Python',
      'import numpy as np',
      "cell:1:14 - '=' expected. (TS1005)\n  Write it like this: import * as np from 'numpy'\ncell:1:17 - ';' expected. (TS1005)",
    ],
    [
      'an import of one name as in Python',
      'import numpy',
      "cell:1:13 - '=' expected. (TS1005)\n  Write it like this: import * as numpy from 'numpy'",
    ],
    [
      'a comment as in Python',
      '# all nodes',
      "cell:1:1 - Invalid character. (TS1127)\n  A comment begins with //.\ncell:1:3 - ';' expected. (TS1005)",
    ],
    [
      'a question above the last line',
      'const x = 1\nx?\nconst y = [\n1]',
      'cell:3:1 - Expression expected. (TS1109)\n  `x?` explains a name on the last line of a cell only. Write it in a cell of its own.',
    ],
    [
      'a question before a call',
      'Math.max?\nconsole.log(\n1)',
      "cell:3:3 - ':' expected. (TS1005)\n  `Math.max?` explains a name on the last line of a cell only. Write it in a cell of its own.",
    ],
    [
      'a question on the first line',
      '?Math\nconst y = 2',
      'cell:1:1 - Declaration or statement expected. (TS1128)\n  `?Math` explains a name on the last line of a cell only. Write it in a cell of its own.',
    ],
    [
      'a loop as in Python',
      'for n in nodes: console.log(n)',
      "cell:1:5 - '(' expected. (TS1005)\n  Write it like this: for (const n of nodes) { … }\ncell:1:15 - ')' expected. (TS1005)",
    ],
    [
      'a condition as in Python',
      'if count > 1: console.log(1)',
      "cell:1:4 - '(' expected. (TS1005)\n  Write it like this: if (count > 1) { … }\ncell:1:13 - ')' expected. (TS1005)",
    ],
    [
      'a function as in Python',
      'def area(w, h):\n  return w * h',
      "cell:1:1 - Unexpected keyword or identifier. (TS1434)\n  Write it like this: function area(w, h) { … }\ncell:1:15 - ';' expected. (TS1005)",
    ],
    [
      'a command of the shell as in IPython',
      '!pwd',
      "cell:1:2 - Cannot find name 'pwd'. (TS2304)\n  Cells run no shell commands. Write: import { execSync } from 'node:child_process', and execSync('…', { encoding: 'utf8' })",
    ],
    [
      'a member of a promise',
      'const later = Promise.resolve([1])\nlater.length',
      "cell:2:7 - Property 'length' does not exist on type 'Promise<number[]>'. (TS2339)\n  It is a promise. Write `await` before it to wait for its value.",
    ],
    [
      'a sum with a promise',
      'Promise.resolve(2) + 1',
      "cell:1:1 - Operator '+' cannot be applied to types 'Promise<number>' and '1'. (TS2365)\n  It is a promise. Write `await` before it to wait for its value.",
    ],
    [
      'an argument that is a promise',
      'const half = (n: number) => n / 2\nhalf(Promise.resolve(2))',
      "cell:2:6 - Argument of type 'Promise<number>' is not assignable to parameter of type 'number'. (TS2345)\n  It is a promise. Write `await` before it to wait for its value.",
    ],
    [
      'what is the window in a browser',
      'window',
      "cell:1:1 - Cannot find name 'window'. (TS2304)\n  Cells run in Node, not in a browser.",
    ],
    [
      'what Node has only when it is started for it',
      "typeof localStorage\nlocalStorage.setItem('key', 'value')",
      "cell:2:1 - Cannot find name 'localStorage'. (TS2584)\n  Cells run in Node, not in a browser.",
    ],
    ['what only a browser has', 'status', "cell:1:1 - Cannot find name 'status'. (TS2304)"],
    [
      'text that is no TypeScript',
      'const = 1',
      'cell:1:7 - Variable declaration expected. (TS1134)\ncell:1:9 - Variable declaration expected. (TS1134)',
    ],
    ['text that lacks its end', 'function f() {', "cell:1:15 - '}' expected. (TS1005)"],
    ['a condition without a statement', 'if (1 < 2)', 'cell:1:11 - Expression expected. (TS1109)'],
    [
      'a template that only begins',
      'const s = `abc',
      'cell:1:15 - Unterminated template literal. (TS1160)',
    ],
    [
      'an array whose type nothing says',
      'const open = []\nconst use = () => open',
      "cell:1:7 - Variable 'open' implicitly has type 'any[]' in some locations where its type cannot be determined. (TS7034)\n  Write its type, like this: const open: number[] = []\ncell:2:19 - Variable 'open' implicitly has an 'any[]' type. (TS7005)",
    ],
    [
      'a magic of another kernel',
      '\n%matplotlib inline',
      'cell:2:1 - %matplotlib is a magic of IPython, which this kernel does not have: cells are TypeScript',
    ],
    [
      'a module of tslab’s',
      '/** @module tools */\nexport const x = 1',
      "cell:1:1 - cells with @module are tslab's; write a file tools.ts beside the notebook instead, which is loaded again when it changes",
    ],
    [
      'a package that is not there',
      "import { x } from 'late-package'",
      "cell:1:19 - Cannot find module 'late-package' or its corresponding type declarations. (TS2307)\n  Is it installed? npm install late-package",
    ],
  ] as const)('does not run: %s', async ([, code, expected]) => {
    expect(await complaintOf(code)).toBe(expected)
  })

  it('may declare a name that Node does not have', async () => {
    const cell =
      "const isThere = typeof localStorage !== 'undefined' || globalThis.localStorage !== undefined\n{ const localStorage = { n: 1 }; console.log(isThere, localStorage.n) }"
    expect(await session.print(cell)).toBe('false 1')
    await session.print('const sessionStorage = { n: 2 }')
    expect(await session.print('console.log(sessionStorage.n)')).toBe('2')
  })

  it('declares nothing for later cells', async () => {
    await session.run("const unseen = 1\nconst n: number = 'x'")
    expect(await complaintOf('unseen')).toBe(
      "cell:1:1 - Cannot find name 'unseen'. (TS2304)\n  cell N, which declares it, did not run because of its errors.",
    )
  })

  it('names the cell that a type comes from, never a file', async () => {
    await session.print(
      'interface Rtt { ms: number }\nclass Row { #n = 1; rtt?: Rtt }\nlet row: Row | Rtt = new Row()\nconst fixed = 1',
    )
    expect(await complaintOf('const s: string = row')).toMatch(
      /^cell:1:7 - Type '(?:Row|Rtt) \| (?:Row|Rtt)' is not assignable to type 'string'\. \(TS2322\)/u,
    )
    expect(await complaintOf('fixed = 2')).toBe(
      "cell:1:1 - Cannot assign to 'fixed' because it is a constant of cell N. (TS2588)",
    )
    await session.print('interface Rtt { other: string }')
    const complaint = await complaintOf(
      'const other: Rtt = row as Rtt\nconst again: typeof row = other',
    )
    expect(complaint).not.toMatch(/import\(|__|\/|\$/u)
  })
})

describe('a cell that fails halfway', () => {
  it('keeps the names that it reached, and later cells are told why the others have no value', async () => {
    const { error } = await session.run(
      "const reached = 1\nfunction hoisted() { return reached + later }\nthrow new Error('half')\nlet later = 2, other = 3\nclass Late {}",
    )
    expect(error).toBe('Error: half')
    expect(await session.print('console.log(reached, typeof hoisted)')).toBe('1 function')
    expect(await complaintOf('later + 1')).toBe(
      "cell:1:1 - Cannot find name 'later'. (TS2304)\n  Cell N, which declares it, failed before it got there.".replace(
        'Cell',
        'cell',
      ),
    )
    expect((await session.run('hoisted()')).error).toBe('ReferenceError: later has no value yet')
  })

  it('leaves the variables that it did not reach unchanged', async () => {
    await session.print("let kept = 'before'")
    await session.run("throw new Error('early')\nlet kept = 5")
    expect(await session.print('const text: string = kept\nconsole.log(text)')).toBe('before')
  })

  it('keeps what a statement declared before that statement failed', async () => {
    await session.print("let pair = 'before'")
    const { error } = await session.run(
      'let pair = 1, { none = 2 } = {} as { none?: number }, unmade = pair.toFixed(1000)',
    )
    expect(error).toContain('RangeError')
    expect(await session.print('const sum: number = pair + none\nconsole.log(sum)')).toBe('3')
    expect(await complaintOf('unmade')).toContain('failed before it got there')
  })

  it('declares none of its imports when one of them fails', async () => {
    await writeFile(
      join(session.folder, 'fails.ts'),
      "export const fromFails = 1\nthrow new Error('while loading')\n",
    )
    const { error, stack } = await session.run(
      "let beside = 1\nimport { fromFails } from './fails'",
    )
    expect(error).toBe('Error: while loading')
    expect(stack).toContain(`${join(session.folder, 'fails.ts')}:2:7`)
    expect(await complaintOf('fromFails')).toContain('failed before it got there')
    expect(await complaintOf('beside')).toContain('failed before it got there')
  })
})

describe('a name that is declared again with another type', () => {
  it('is reported with the cells that relied on the old type', async () => {
    await session.print('let sizes = [1]\nconst sum = () => sizes.reduce((a, b) => a + b, 0)')
    await session.print('const double = () => sizes.map((x) => x * 2)')
    const { misfits } = await session.run("let sizes = 'three'")
    expect(misfits.map((text) => text.replaceAll(/ell \d+/gu, 'ell N'))).toEqual([
      "cell N no longer fits, at 1:28: Property 'map' does not exist on type 'string'. (TS2339)",
      "cell N no longer fits, at 1:33: Parameter 'x' implicitly has an 'any' type. (TS7006)\n  Write its type after its name, like this: (x: number)",
      'sizes is now string; what cell N declared with it takes it for number[]',
    ])
  })

  it('is reported once, and again only after the cell was correct in between', async () => {
    const told = async (code: string): Promise<string> =>
      (await session.run(code)).misfits
        .filter((text) => text.includes('no longer fits'))
        .map((text) => text.replaceAll(/ell \d+/gu, 'ell N'))
        .join('\n')
    const misfit = (type: string): string =>
      `cell N no longer fits, at 1:30: Property 'pop' does not exist on type '${type}'. (TS2339)`
    await session.print('let stack = [1]')
    await session.print('const popStack = () => stack.pop()')
    expect(await told("let stack = 'three'")).toBe(misfit('string'))
    expect(await told("let stack = 'four'")).toBe('')
    expect(await told('let stack = 5')).toBe(misfit('number'))
    expect(await told('let stack = [6]')).toBe('')
    expect(await told('let stack = 7')).toBe(misfit('number'))
  })

  it('is not reported when the cell is still correct', async () => {
    await session.print('let fits: number | string = 1\nconst readFits = () => fits')
    expect((await session.run('let fits = 2')).misfits).toEqual([])
    expect(await session.print('const n: number = readFits() as number\nconsole.log(n)')).toBe('2')
  })

  it('changes the types that earlier cells derived from it', async () => {
    await session.print('let unit = 1')
    await session.print('const readUnit = () => unit')
    await session.run("let unit = 's'")
    expect(await session.print('const text: string = readUnit()\nconsole.log(text)')).toBe('s')
  })
})

describe('a run-time error', () => {
  it('names variables as they were written', async () => {
    await session.print('let notFn: any = 5\nconst callsIt = () => {\n  return 1 + notFn()\n}')
    expect(await session.run('callsIt()')).toMatchObject({
      error: 'TypeError: notFn is not a function',
    })
    expect((await session.run('notFn.of.it')).error).toBe(
      "TypeError: Cannot read properties of undefined (reading 'it')",
    )
    expect((await session.run('for (const x of notFn) ;')).error).toBe(
      'TypeError: notFn is not iterable',
    )
    expect((await session.run('new notFn()')).error).toBe('TypeError: notFn is not a constructor')
    expect(
      (
        await session.run(
          'try { notFn() } catch (error) { console.log(String((error as Error).stack).split("\\n")[0]) }',
        )
      ).printed,
    ).toBe('TypeError: notFn is not a function\n')
  })

  it('names lines and columns as they were written', async () => {
    const made = await session.run(
      'interface Gone {\n  x: number\n}\nlet deep = 0\nfunction fails(n: number): never {\n  deep = n; throw new RangeError(`${deep}`)\n}',
    )
    expect(made.error).toBeNull()
    const { stack } = await session.run(
      'type AlsoGone = string\n\nconst at = { x: 1 }; fails(at.x)',
    )
    expect(stack.split('\n').map((line) => line.replaceAll(/cell-\d+/gu, 'cell'))).toEqual([
      'RangeError: 1',
      '    at fails (cell.ts:6:19)',
      '    at cell.ts:3:22',
    ])
  })
})

describe('an uncaught error', () => {
  it('names its line, or its cell when Node itself created the error', async () => {
    const thrown = await session.print(
      "const after = (ms: number) => new Promise((r) => setTimeout(r, ms))\nsetTimeout(() => {\n  throw new Error('from a timer')\n}, 1)\nawait after(20)",
    )
    expect(thrown).toMatch(
      /^Uncaught Error: from a timer\n {4}at Timeout\._onTimeout \(cell-\d+\.ts:3:9\)$/u,
    )
    const rejected = await session.print(
      "import { readFile } from 'node:fs/promises'\nvoid readFile('/absent')\nawait after(20)",
    )
    expect(rejected).toMatch(
      /^Uncaught \[Error: ENOENT: [^\]]*\] \{[^}]*\}\n {4}in what cell-\d+\.ts has started$/u,
    )
  })
})

it('a syntax error at the end of a line with `export default` is explained', async () => {
  expect(await complaintOf('export default 1; a?b')).toContain("':' expected. (TS1005)")
})

describe('the notebook’s own files', () => {
  it('are checked with the cell, and errors name their line and column', async () => {
    await mkdir(join(session.folder, 'deep'), { recursive: true })
    await writeFile(
      join(session.folder, 'deep/inner.ts'),
      'export const n: number = 1\nexport const s: string = 2\n',
    )
    await writeFile(join(session.folder, 'outer.ts'), "export { n } from './deep/inner.ts'\n")
    expect(await complaintOf("import { n } from './outer'")).toBe(
      "deep/inner.ts:2:14 - Type 'number' is not assignable to type 'string'. (TS2322)",
    )
  })
})
