import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../../../..')
const folder = join(import.meta.dirname, 'checks')
const home = await mkdtemp(join(tmpdir(), 'cl-kernel-'))

const Listed = Type.Object({ module: Type.String(), check: Type.String() })
const Result = Type.Object({
  check: Type.String(),
  outcome: Type.String(),
  detail: Type.String(),
})

/** Run the program of the checks and read its lines. It is in Python, because Jupyter's own test suite for kernels is. */
async function ask<S extends TSchema>(schema: S, args: readonly string[]): Promise<Static<S>[]> {
  const { stdout } = await promisify(execFile)(
    join(checkout, '.venv/bin/python'),
    ['-B', '-W', 'ignore', 'run.py', ...args],
    {
      cwd: folder,
      maxBuffer: 64 * 2 ** 20,
      env: {
        ...process.env,
        COMMUNITY_LAB_HOME: home,
        JUPYTER_PATH: join(checkout, '.venv/share/jupyter'),
        JUPYTER_RUNTIME_DIR: join(home, 'runtime'),
        IPYTHONDIR: join(home, 'ipython'),
      },
    },
  )
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => Value.Parse(schema, JSON.parse(line)))
}

const modules = (await readdir(folder))
  .filter((name) => name.startsWith('test_') && name.endsWith('.py'))
  .map((name) => name.slice(0, -'.py'.length))
  .sort()
const listed = await ask(Listed, ['--list', ...modules])

afterAll(() => rm(home, { recursive: true, force: true }))

describe.for(modules)('%s', (module) => {
  let results: Static<typeof Result>[]

  beforeAll(async () => {
    results = await ask(Result, [module])
  })

  const checks = listed.filter((each) => each.module === module).map(({ check }) => check)
  it.for(checks)('%s', (check) => {
    const result = results.find((each) => each.check === check)
    expect(result).toEqual({ check, outcome: 'passed', detail: '' })
  })
})
