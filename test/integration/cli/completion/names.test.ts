import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readNames } from '../../../../server/cli/src/completion/names.ts'

let folder: string
let script: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-names-'))
  script = join(folder, 'program.mjs')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A program that knows these names, or fails, and counts how often it was asked. */
async function program(names: readonly string[] | null): Promise<void> {
  const words = names?.map((word) => ({ word, description: '' }))
  await writeFile(
    script,
    `import { appendFileSync } from 'node:fs'
    appendFileSync(${JSON.stringify(join(folder, 'asked'))}, process.argv.slice(2).join(' ') + '\\n')
    ${words === undefined ? 'process.exitCode = 1' : `console.log(${JSON.stringify(JSON.stringify(words))})`}`,
  )
}

const hour = 3_600_000
const read = async (nowMs: number, env: object = {}) => {
  const found = await readNames('node', {
    env: { PATH: process.env['PATH'], XDG_CACHE_HOME: join(folder, 'cache'), ...env },
    cwd: folder,
    program: [process.execPath, script],
    nowMs,
  })
  return found.map(({ word }) => word)
}
const timesAsked = async () =>
  (await readFile(join(folder, 'asked'), 'utf8')).trimEnd().split('\n').length

it('are asked for once in twenty seconds, and anew for other credentials', async () => {
  await program(['n1', 'n2'])
  expect(await read(hour)).toEqual(['n1', 'n2'])
  await program(['n3'])
  expect(await read(hour + 19_000)).toEqual(['n1', 'n2'])
  expect(await timesAsked()).toBe(1)
  expect(await read(hour + 19_000, { COMMUNITY_LAB_TOKEN: 'of-another' })).toEqual(['n3'])
  expect(await read(hour + 21_000)).toEqual(['n3'])
  expect(await readFile(join(folder, 'asked'), 'utf8')).toMatch(/^(__names node\n){3}$/u)
})

it('are those of before where the server is away, for a day, and it is not asked at each key', async () => {
  await program(['n1'])
  await read(hour)
  await program(null)
  expect(await read(2 * hour)).toEqual(['n1'])
  expect(await read(2 * hour + 1_000)).toEqual(['n1'])
  expect(await timesAsked()).toBe(2)
  expect(await read(26 * hour)).toEqual([])
})

it('are asked for again when what was kept is damaged, or cannot be kept', async () => {
  await program(['n1'])
  await read(hour)
  const kept = join(folder, 'cache/community-lab')
  for (const file of await readdir(kept)) await writeFile(join(kept, file), '{"names":')
  expect(await read(hour + 1_000)).toEqual(['n1'])
  expect(await read(hour, { XDG_CACHE_HOME: script })).toEqual(['n1'])
})
