import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startWorld, type World } from './world/testbed.ts'

const checkout = resolve(import.meta.dirname, '../../..')
const nodes = [
  ['22', join(checkout, `test/node-22/node_modules/node-linux-${process.arch}/bin/node`)],
  ['24', join(checkout, `node_modules/node-linux-${process.arch}/bin/node`)],
] as const

let world: World
let project: string

beforeAll(async () => {
  world = await startWorld(2)
  // A user's own project, with the library as `npm install FOLDER` installs it.
  project = await mkdtemp(join(tmpdir(), 'cl-own-project-'))
  await cp(join(import.meta.dirname, 'own-project'), project, { recursive: true })
  await mkdir(join(project, 'node_modules/@community-lab'), { recursive: true })
  await symlink(join(checkout, 'kernel'), join(project, 'node_modules/@community-lab/kernel'))
})

afterAll(async () => {
  await rm(project, { recursive: true, force: true })
  await world.close()
})

describe.for(nodes)('in a user’s own project on Node %s', ([version, node]) => {
  /** Run a script to its end. Output on stderr, such as a warning of Node, fails the test. */
  async function run(script: string): Promise<string> {
    const env = {
      PATH: process.env['PATH'],
      HOME: project,
      COMMUNITY_LAB_URL: world.url,
      COMMUNITY_LAB_TOKEN: 'right',
    }
    const ran = await promisify(execFile)(node, [script], { cwd: project, env })
    expect(ran.stderr).toBe('')
    return ran.stdout
  }

  it('a script measures on a slice, and exits by itself', async () => {
    expect((await run('experiment.mjs')).trim().split('\n')).toEqual([
      expect.stringContaining('2 of 2 started'),
      'n1: one  two, n2: one  two',
      '10 rows',
      expect.stringMatching(/^\[figure, /u),
      'LAB_COMMAND_FAILED',
      `v${version}`,
    ])
  })

  it('a CommonJS script requires the library', async () => {
    expect(await run('required.cjs')).toBe('2 nodes, function\n')
  })
})
