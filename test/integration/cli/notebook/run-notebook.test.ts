import { writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeParameters } from '../../../../server/cli/src/notebook/parameters.ts'
import { makeNotebookPlace, type NotebookPlace } from './program.ts'

let place: NotebookPlace

beforeEach(async () => {
  place = await makeNotebookPlace()
})
afterEach(() => place[Symbol.asyncDispose]())

const output = () => ['--output', join(place.folder, 'out.ipynb')]

describe.for(['communitylab', 'tslab'])('on the kernel %s', (kernel) => {
  it('prints what cells print as they print it, and writes the executed notebook', async () => {
    // The cell ends only when what it has printed was seen.
    const seen = join(place.folder, 'seen')
    const waits = `import * as fs from 'fs'
console.log('one')
while (!fs.existsSync(${JSON.stringify(seen)})) await new Promise((go) => setTimeout(go, 20))`
    const file = await place.write('a.ipynb', [waits, '6 * 7'], kernel)
    const { code, out } = await place.execute([file, ...output()], {
      onText: (text) => {
        if (text.includes('one\n')) writeFileSync(seen, '')
      },
    })
    expect([code, out]).toEqual([0, 'one\n42\n'])
    const [first, second] = await place.read('out.ipynb')
    expect([first?.printed, first?.execution_count, second?.execution_count]).toEqual([
      'one\n',
      1,
      2,
    ])
  })

  it('fails with the failing cell, and writes what ran before it', async () => {
    const cells = ["console.log('before')", 'const a = 1\nthrow new RangeError(`no ${a}`)', '3']
    const file = await place.write('a.ipynb', cells, kernel)
    const { code, err } = await place.execute([file, ...output()])
    expect(code).toBe(1)
    expect(err).toContain('RangeError: no 1')
    expect(err).toMatch(/error: cell 2 of 3 failed.*\[LAB_NOTEBOOK_CELL_FAILED\]\n$/u)
    const executed = await place.read('out.ipynb')
    expect(executed.map(({ errors }) => errors.length)).toEqual([0, 1, 0])
    expect(executed[0]?.printed).toBe('before\n')
  })

  it('stops at Ctrl-C, and writes what ran before it', async () => {
    const file = await place.write('a.ipynb', ["console.log('begun'); for (;;) {}", '2'], kernel)
    const { code, err } = await place.execute([file, ...output()], {
      onText: (text, stop) => {
        if (text.includes('begun')) stop()
      },
    })
    expect([code, err.includes('stopped in cell 1 of 2')]).toEqual([130, true])
    expect((await place.read('out.ipynb'))[0]?.printed).toContain('begun\n')
  })

  it('puts parameters behind the cell that declares them, exactly as they were given', async () => {
    const defaults =
      "let count = 1, seed = 1n\nlet who: string = 'me'\nconst mode: 'fast' | 'slow' = 'slow'"
    const cells = [[defaults, 'parameters'], 'console.log(count + 1, seed, who, mode)'] as const
    const file = await place.write('a.ipynb', cells, kernel)
    const inject = (...given: readonly (readonly [name: string, text: string])[]) => [
      '--inject',
      writeParameters(
        { source: defaults, file },
        given.map(([name, text]) => ({ name, text })),
      ),
    ]
    const given = inject(['count', '41'], ['seed', '12345678901234567890'], ['who', '1.10'])
    const { code, out } = await place.execute([file, ...output(), ...given])
    expect([code, out]).toEqual([0, '42 12345678901234567890n 1.10 slow\n'])
    const [, injected] = await place.read('out.ipynb')
    expect(injected?.tags).toEqual(['injected-parameters'])
    const again = [join(place.folder, 'out.ipynb'), ...inject(['mode', 'fast'])]
    expect((await place.execute(again)).out).toBe('2 1n me fast\n')
  })
})

it('says that nobody can be asked where a cell asks a question', async () => {
  const cells = [
    "import { createInterface } from 'node:readline/promises'\nconst lines = createInterface({ input: process.stdin, output: process.stdout })\nconsole.log(await lines.question('Name? '))",
  ]
  const file = await place.write('a.ipynb', cells)
  const { code, err } = await place.execute([file])
  expect(code).toBe(1)
  expect(err).toContain('nobody can be asked')
})

it('says at which line of which cell it failed', async () => {
  const cells = ['function f() {\n  throw new RangeError("deep")\n}', '1', '// first\nf()']
  const { err } = await place.execute([await place.write('a.ipynb', cells)])
  expect(err).toContain('cell-1.ts, line 2')
  expect(err).toContain('error: cell 3 of 3 failed at its line 2, `f()`: RangeError: deep')
})

it('goes on where a cell is meant to fail', async () => {
  const cells = [
    ['throw new Error("on purpose")', 'raises-exception'],
    'console.log("on")',
  ] as const
  const { code, out } = await place.execute([await place.write('a.ipynb', cells)])
  expect([code, out]).toEqual([0, 'on\n'])
})

// Stock tslab passes on what is no text; a notebook cannot hold that.
it.for([
  ['display.html(5 as any)', []],
  ["const place = newDisplay(); place.text('a'); place.text(5 as any)", ['a']],
] as const)('fails with what no notebook can keep: %s', async ([shows, kept]) => {
  const begins = "import { display, newDisplay } from 'tslab'\nconsole.log('before')"
  const file = await place.write('a.ipynb', [begins, shows, "console.log('after')"], 'tslab')
  const { code, err } = await place.execute([file, ...output()])
  expect(code).toBe(1)
  expect(err).toMatch(
    /^error: cell 2 of 3 put out what no notebook can keep .*\[LAB_NOTEBOOK_UNUSABLE\]\n$/u,
  )
  const [first, second, third] = await place.read('out.ipynb')
  expect([first?.printed, second?.results, third?.printed]).toEqual(['before\n', kept, ''])
})

// Stock tslab passes on half a surrogate pair, which is no UTF-8.
it('keeps the rest of what has a character that cannot be written', async () => {
  const shows = "import { display } from 'tslab'\ndisplay.html('<p>\\ud83d half')"
  const file = await place.write('a.ipynb', [shows, "console.log('after')"], 'tslab')
  const { code, out } = await place.execute([file, ...output()])
  expect([code, out]).toEqual([0, '[text/html]\nafter\n'])
  expect(await readFile(join(place.folder, 'out.ipynb'), 'utf8')).toContain('<p>? half')
})

it('prints on a terminal that does not know a character', async () => {
  const file = await place.write('a.ipynb', ["console.log('a → b')"])
  const env = { PYTHONIOENCODING: 'latin-1' }
  const { code, out } = await place.execute([file, ...output()], { env })
  expect([code, out]).toEqual([0, 'a \\u2192 b\n'])
  expect((await place.read('out.ipynb'))[0]?.printed).toBe('a → b\n')
})

it('ends when nobody reads any more what it prints', async () => {
  const talks = `for (let i = 0; i < 200; i++) {
  console.log(i)
  await new Promise((go) => setTimeout(go, 20))
}`
  const file = await place.write('a.ipynb', [talks, '2'])
  const { code, err } = await place.execute([file, ...output()], {
    onText: (_text, _stop, leave) => leave(),
  })
  expect([code, err]).toEqual([1, ''])
  expect((await place.read('out.ipynb'))[1]?.execution_count).toBe(null)
})

it('keeps what a cell prints after it has ended', async () => {
  const cells = [
    'void setTimeout(() => console.log("late"), 50)',
    'await new Promise((go) => setTimeout(go, 200))',
  ]
  const file = await place.write('a.ipynb', cells)
  await place.execute([file, ...output()])
  expect((await place.read('out.ipynb')).map(({ printed }) => printed)).toEqual(['late\n', ''])
})

it('loses none of 50,000 lines when who reads them is slow', async () => {
  const file = await place.write('a.ipynb', [
    "for (let i = 0; i < 50_000; i++) console.log('line ' + i)",
  ])
  const { out } = await place.execute([file], {
    // Nothing is read meanwhile: the pipe is full soon.
    onText: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20),
  })
  expect(out.split('\n')).toHaveLength(50_001)
})

it('loses none of 50,000 lines', async () => {
  const file = await place.write('a.ipynb', [
    "for (let i = 0; i < 50_000; i++) console.log('line ' + i)",
  ])
  const { out } = await place.execute([file])
  expect(out).toBe(Array.from({ length: 50_000 }, (_, index) => `line ${index}\n`).join(''))
})

it('keeps the last state of what changed in place, and prints that once', async () => {
  const code = `const place = (globalThis as any)[Symbol.for('community-lab.display')].newDisplay()
for (const text of ['0 %', '50 %', '100 %']) place.update({ 'text/plain': text })`
  const file = await place.write('a.ipynb', [code])
  const { out } = await place.execute([file, ...output()])
  expect(out).toBe('0 %\n100 %\n')
  expect((await place.read('out.ipynb'))[0]?.results).toEqual(['100 %'])
})

it('tells what is wrong before any kernel starts', async () => {
  const file = await place.write('a.ipynb', [['let count = 1', 'parameters']])
  const plain = await place.write('plain.ipynb', ['1'])
  const text = join(place.folder, 'text.ipynb')
  await writeFile(text, 'no JSON')
  const old = join(place.folder, 'old.ipynb')
  await writeFile(old, '{"nbformat":3,"nbformat_minor":0,"metadata":{},"worksheets":[]}')
  const newer = join(place.folder, 'newer.ipynb')
  await writeFile(newer, '{"nbformat":5,"nbformat_minor":0,"metadata":{},"cells":[]}')
  const other = join(place.folder, 'other.ipynb')
  await writeFile(other, '[]')
  const cases = [
    [[plain, '--inject', 'count=2'], 'the notebook has no parameters'],
    [[text], 'is not a notebook: it is not JSON'],
    [[old], 'is of version 3 of the notebook format'],
    [[newer], 'is of version 5 of the notebook format'],
    [[other], 'names no version of the notebook format'],
    [[await place.write('b.ipynb', ['1'], 'gone')], 'asks for the kernel "gone"'],
    [[file, '--output', join(place.folder, 'none/out.ipynb')], 'there is no folder'],
    [[join(place.folder, 'absent.ipynb')], 'cannot be read'],
  ] as const
  for (const [args, sentence] of cases) {
    const { code, out, err } = await place.execute(['--check', ...args])
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/^error: .*\[LAB_NOTEBOOK_UNUSABLE\]\n$/u)
    expect(err).toContain(sentence)
  }
})

it('executes a notebook with a byte order mark, and says in one sentence what is wrong with it', async () => {
  const file = await place.write('a.ipynb', ['console.log(1)'])
  await writeFile(file, `\uFEFF${await readFile(file, 'utf8')}`)
  const { code, out, err } = await place.execute([file, ...output()])
  expect([code, out]).toEqual([0, '1\n'])
  expect(err).toMatch(/^note: .*a\.ipynb begins with a byte order mark.*\n$/u)
  expect((await place.read('out.ipynb'))[0]?.printed).toBe('1\n')
})

it('executes a notebook with doubled and missing cell ids, gives each its own, and says so in one sentence', async () => {
  const file = await place.write('a.ipynb', ['1', '2', '3'])
  const doubled = (await readFile(file, 'utf8')).replace('"id":"c1"', '"id":"c0"')
  await writeFile(file, doubled.replace('"id":"c2",', ''))
  const { code, err } = await place.execute([file, ...output()])
  expect(code).toBe(0)
  expect(err).toMatch(/^note: .*a\.ipynb has cells without an id of their own \(2\).*\n$/u)
  const text = await readFile(join(place.folder, 'out.ipynb'), 'utf8')
  const { cells } = JSON.parse(text) as { cells: readonly { id: string }[] }
  expect(new Set(cells.map(({ id }) => id)).size).toBe(3)
})

it('tells a failure as JSON where it is told to', async () => {
  const file = await place.write('a.ipynb', ['throw new RangeError("no")'])
  const { code, out, err } = await place.execute([file, '--failure-to', '1'])
  expect(code).toBe(1)
  expect(err).not.toContain('[LAB_')
  expect(JSON.parse(out)).toEqual({
    code: 'LAB_NOTEBOOK_CELL_FAILED',
    sentence: expect.stringContaining('cell 1 of 1 failed') as string,
  })
})

it('says that a kernel ended, and which variables that cost', async () => {
  const { code, err } = await place.execute([await place.write('a.ipynb', ['process.exit(3)'])])
  expect(code).toBe(1)
  expect(err).toContain('exit code 3')
})

it('names the cell in which the kernel itself died', async () => {
  // It prints nothing: what was on its way through the kernel would be lost with it, or not.
  const dies = "process.kill(process.ppid, 'SIGKILL')\nawait new Promise(() => undefined)"
  const file = await place.write('a.ipynb', ["console.log('first')", dies, '3'])
  const { code, out, err } = await place.execute([file, ...output()])
  expect([code, out]).toEqual([1, 'first\n'])
  expect(err).toContain(
    "error: the kernel died in cell 2 of 3, which begins `process.kill(process.ppid, 'SIGKILL')` [LAB_NOTEBOOK_CELL_FAILED]\n",
  )
  expect((await place.read('out.ipynb'))[0]?.printed).toBe('first\n')
})
