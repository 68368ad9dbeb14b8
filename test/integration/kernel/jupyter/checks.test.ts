import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listChecks, runChecks, type CheckResult } from '../../../support/python-checks.ts'

const checkout = resolve(import.meta.dirname, '../../../..')
const folder = join(import.meta.dirname, 'checks')
const home = await mkdtemp(join(tmpdir(), 'cl-kernel-'))
const env = {
  COMMUNITY_LAB_HOME: home,
  JUPYTER_PATH: join(checkout, '.venv/share/jupyter'),
  JUPYTER_RUNTIME_DIR: join(home, 'runtime'),
  IPYTHONDIR: join(home, 'ipython'),
}

// Jupyter's own test suite for kernels is in Python.
const modules = (await readdir(folder))
  .filter((name) => name.startsWith('test_') && name.endsWith('.py'))
  .map((name) => name.slice(0, -'.py'.length))
  .sort()
const listed = await listChecks({ folder, modules, env })

afterAll(() => rm(home, { recursive: true, force: true }))

describe.for(modules)('%s', (module) => {
  let results: readonly CheckResult[]

  beforeAll(async () => {
    results = await runChecks({ folder, modules: [module], env })
  })

  const checks = listed.filter((each) => each.module === module).map(({ check }) => check)
  it.for(checks)('%s', (check) => {
    const result = results.find((each) => each.check === check)
    expect(result).toEqual({ module, check, outcome: 'passed', detail: '' })
  })
})
