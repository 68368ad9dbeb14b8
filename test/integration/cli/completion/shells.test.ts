import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aNode } from '../../../support/node-object.ts'

const checkout = resolve(import.meta.dirname, '../../../..')
const program = join(checkout, 'server/cli/bin/community-lab.mjs')
const typist = join(import.meta.dirname, 'type_in_shell.py')
const run = promisify(execFile)

let folder: string
let server: FastifyInstance
let env: NodeJS.ProcessEnv
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-completion-'))
  server = Fastify()
  server.get('/api/nodes/', () => [aNode(3, 'garden'), aNode(4, 'tower'), aNode(5, 'town-hall')])
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  env = {
    ...{ PATH: process.env['PATH'], HOME: folder, ZDOTDIR: folder, TERM: 'dumb' },
    ...{ COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: 'of-somebody' },
  }
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

const shells = {
  bash: {
    rc: '.bashrc',
    argv: ['bash', '--noprofile', '--rcfile', '.bashrc', '-i'],
    setUp: "bind 'set enable-bracketed-paste off'\nPS1='ready> '",
    // The first Tab completes what all words have in common.
    list: '\t\t\t',
  },
  zsh: {
    rc: '.zshrc',
    argv: ['zsh', '-d', '-i'],
    setUp: "autoload -Uz compinit\ncompinit -u -D\nPS1='ready> '",
    list: '\t\t',
  },
} as const
type Shell = keyof typeof shells

/** Type into a shell that has read its script. Returns what the terminal got, and the words of the command line that was completed. */
async function type(shell: Shell, keys: string, changes: NodeJS.ProcessEnv = {}) {
  const { rc, argv, setUp } = shells[shell]
  const { stdout: script } = await run(process.execPath, [program, 'completion', shell], { env })
  // The program in its place shows what it is called with, and does nothing.
  const shown = `community-lab() { printf '<%s>' "$@"; echo ' was called'; }`
  await writeFile(join(folder, rc), `${setUp}\n${shown}\n${script}`)
  const asked = {
    argv,
    env: { ...env, ...changes },
    prompt: 'ready> ',
    keys,
    until: '> was called',
  }
  const { stdout } = await run('python3', ['-B', typist, JSON.stringify(asked)], { cwd: folder })
  const called = /(<.*>) was called/u.exec(stdout)?.[1] ?? null
  return { screen: stdout, called }
}

const cases = (Object.keys(shells) as Shell[]).filter((shell) => isThere(shell))

it('is tested with bash and zsh, which the set-up installs', () => {
  expect(cases).toEqual(['bash', 'zsh'])
})

it.each(cases)('%s completes commands, options and the names of nodes', async (shell) => {
  const { screen, called } = await type(shell, 'community-lab no\tset-st\tgard\tpro\t--y\t\n')
  expect([screen, called]).toEqual([
    expect.not.stringContaining('error'),
    '<node><set-state><garden><production><--yes>',
  ])
})

it.each(cases)('%s shows what there is where several words fit', async (shell) => {
  const { screen, called } = await type(
    shell,
    `community-lab node show to${shells[shell].list}er\n`,
  )
  expect(screen).toContain('town-hall')
  expect(called).toBe('<node><show><tower>')
})

it.each(cases)('%s completes the values of options, also behind an equals sign', async (shell) => {
  const line = 'community-lab token create x --role=op\t --scope re\t\n'
  expect((await type(shell, line)).called).toBe(
    '<token><create><x><--role=operator><--scope><read>',
  )
})

it.each(cases)('%s completes files where a file is meant', async (shell) => {
  await writeFile(join(folder, 'measure.ipynb'), '')
  expect((await type(shell, 'community-lab run meas\t\n')).called).toBe('<run><measure.ipynb>')
})

it.each(cases)('%s says nothing when the server is away', async (shell) => {
  const away = { COMMUNITY_LAB_URL: 'http://127.0.0.1:9' }
  const { screen, called } = await type(shell, 'community-lab node show x\t\n', away)
  expect([screen, called]).toEqual([
    expect.not.stringMatching(/error|rror:|LAB_/u),
    '<node><show><x>',
  ])
})

function isThere(shell: Shell): boolean {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
