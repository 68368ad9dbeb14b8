import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Checker } from '../../../../kernel/src/jupyter/compile/checker.ts'

let folder: string
let checker: Checker
let number = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  checker = new Checker(folder, import.meta.filename)
  complaintsOf('type IsAny<T> = 0 extends 1 & T ? true : false')
})
afterAll(() => rm(folder, { recursive: true }))

/** Check and accept a cell. Returns its diagnostics. */
function complaintsOf(code: string): string[] {
  number += 1
  const compiled = checker.compile({ number, name: `cell-${number}.ts`, code })
  checker.accept(number, Number.MAX_SAFE_INTEGER)
  return compiled.ok ? [] : compiled.complaints.map(({ message }) => message)
}

/** Tell whether TypeScript has the declarations of a module of Node. */
const isLoaded = (name: string): boolean =>
  checker.program.getSourceFiles().some((file) => file.fileName.endsWith(`/node/${name}.d.ts`))

describe('a rarely used module of Node', () => {
  it('is loaded only when a cell mentions it, and is always proposed', () => {
    expect(complaintsOf('const now = process.hrtime.bigint()\nnow')).toEqual([])
    expect(isLoaded('fs')).toBe(true)
    expect(['inspector', 'inspector.generated', 'http2', 'zlib'].filter(isLoaded)).toEqual([])
    const code = "import zlib from 'node:zl"
    const { matches } = checker.complete(code, code.length)
    expect(matches.map(({ text }) => text)).toContain('node:zlib')
  })

  it('has its types when a cell gets it from Node', () => {
    expect(
      complaintsOf(
        "const asked: IsAny<ReturnType<typeof ask>> = false\nfunction ask() { return process.getBuiltinModule('node:http2') }",
      ),
    ).toEqual([])
  })

  it('has its types when a cell names their module', () => {
    expect(complaintsOf("const named: IsAny<typeof import('cluster')> = false")).toEqual([])
  })

  it('has its types when a cell imports it at run time', () => {
    expect(
      complaintsOf("const repl = await import('repl')\nconst found: IsAny<typeof repl> = false"),
    ).toEqual([])
  })

  it('has its types when one of the notebook’s own files imports it', async () => {
    await writeFile(
      join(folder, 'agent.ts'),
      "import { Agent } from 'node:https'\nexport const agent = new Agent()",
    )
    expect(
      complaintsOf("import { agent } from './agent.ts'\nconst own: IsAny<typeof agent> = false"),
    ).toEqual([])
    expect(complaintsOf('agent.maxSockets = "two"')).toEqual([
      "Type 'string' is not assignable to type 'number'. (TS2322)",
    ])
  })

  it('is completed in the cell that first uses it', () => {
    const code = "import { DatabaseSync } from 'node:sqlite'\nnew DatabaseSync('').prep"
    expect(checker.complete(code, code.length).matches).toContainEqual({
      text: 'prepare',
      type: 'method',
    })
  })
})

describe('every module of Node', () => {
  it('has its types in the cell that imports it, and in later cells', () => {
    const names = builtinModules
      // Names from before Node 16 have no types.
      .filter((name) => !/^_|^sys$/u.test(name))
      .flatMap((name) => (name.startsWith('node:') ? [name] : [name, `node:${name}`]))
    const imports = names.map((name, index) => `import * as m${index} from '${name}'`)
    const uses = names.map((_, index) => `const k${index}: IsAny<typeof m${index}> = false`)
    expect(complaintsOf([...imports, ...uses].join('\n'))).toEqual([])
    expect(complaintsOf(uses.join('\n').replaceAll('const k', 'const again'))).toEqual([])
  })
})

describe('a name that begins like a module of Node', () => {
  it('is a module that does not exist', () => {
    expect(complaintsOf("import any from 'test'").join('\n')).toContain('test')
  })
})
