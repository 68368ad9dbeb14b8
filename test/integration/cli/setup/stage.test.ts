import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runChecks, runStage } from '../../../../server/cli/setup/test/stage.mjs'
import { chooseStages } from '../../../../server/cli/setup/test/stages.mjs'

const checkout = resolve(fileURLToPath(new URL('../../../../', import.meta.url)))
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lab-stage-'))
  await symlink(join(checkout, 'node_modules'), join(root, 'node_modules'))
  await write('test/support/x', '')
  await symlink(join(checkout, 'test/support/reporter.ts'), join(root, 'test/support/reporter.ts'))
  await write(
    'vitest.config.mjs',
    "export default { test: { projects: [{ test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } }] } }",
  )
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

const head = "import { expect, it, describe, beforeAll } from 'vitest'\n"
const options = (signal = new AbortController().signal) => ({
  root,
  env: process.env,
  node: process.execPath,
  signal,
  folder: root,
})
const unit = { name: 'unit', vitest: ['--project', 'unit'] }

it('counts what passed, failed and was skipped, names the latter two and says why one failed', async () => {
  await write(
    'test/unit/a.test.ts',
    `${head}it('good', () => {}); it('bad', () => expect(1).toBe(2)); it.skip('later', () => {})`,
  )
  expect(await runStage(unit, options())).toEqual({
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: [
      expect.stringMatching(
        /^test\/unit\/a\.test\.ts: bad\n {2}expected 1 to be 2.*\n {2}at .*:2$/u,
      ),
    ],
    leftOut: ['test/unit/a.test.ts: later'],
  })
})

it('counts a file that does not load and a hook that throws as failures', async () => {
  await write('test/unit/a.test.ts', `${head}it('good', () => {})`)
  await write('test/unit/b.test.ts', "import './nothing.ts'")
  await write(
    'test/unit/c.test.ts',
    `${head}describe('d', () => { beforeAll(() => { throw new Error('no') }); it('never', () => {}) })`,
  )
  const counts = await runStage(unit, options())
  expect(counts.passed).toBe(1)
  expect(counts.failures.join('\n')).toContain('b.test.ts')
  expect(counts.failures.join('\n')).toContain('c.test.ts')
})

it('counts a stage whose process dies as failed', async () => {
  await write('vitest.config.mjs', "process.kill(process.pid, 'SIGKILL')")
  expect(await runStage(unit, options())).toMatchObject({ passed: 0, failed: 1 })
})

it('runs checks side by side, tells what each says in their order, and counts each by its exit code', async () => {
  const check = (path: string) => ({
    name: 'format',
    script: ['prettier/bin/prettier.cjs', '--check', path],
  })
  await write('good.json', '{}\n')
  await write('bad.json', '{   }')
  let text = ''
  const tell = (part: string): void => void (text += part)
  const checks = [check('good.json'), check('bad.json')]
  const counts = await runChecks(checks, { ...options(), write: tell })
  expect(counts).toMatchObject([{ passed: 1, failed: 0 }, { failures: ['format'] }])
  expect(text).toMatch(/^\n== format\n[^=]*All matched[^=]*\n== format\n[^=]*bad\.json/u)
})

it('chooses everything without words, and by words the stages or files that they name', async () => {
  await write('test/unit/deep/a.test.ts', '')
  await write('test/e2e/b.test.ts', '')
  await write('test/ui/readme.md', '')
  const names = (...words: readonly string[]) => {
    const stages = chooseStages(root, words)
    if (typeof stages === 'string') return stages
    return [...stages.checks, ...stages.tests].map(({ name }) => name)
  }
  expect(names()).toEqual(['types', 'lint', 'format', 'arrows', 'unit', 'e2e'])
  expect(names('e2e')).toEqual(['e2e'])
  expect(names('check')).toEqual(['types', 'lint', 'format', 'arrows'])
  expect(names('test/unit/deep')).toEqual(['unit'])
  expect(names('ui')).toBe('there are no tests in test/ui')
  expect(names('--watch')).toContain('no option')
  expect(chooseStages(root, ['unit', 'deep'])).toEqual({
    checks: [],
    tests: [{ name: 'unit', vitest: ['--project', 'unit*', 'deep'] }],
  })
})
