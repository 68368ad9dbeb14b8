import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { formatEnrollmentToken } from '@community-lab/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { holdPort } from '../../support/free-port.ts'

const main = join(import.meta.dirname, '../../../agent/src/main.ts')
let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'agent-main-'))
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

function start(
  env: Readonly<Record<string, string>>,
  stdout: number | 'ignore' | 'pipe' = 'ignore',
  args: readonly string[] = [],
): ChildProcess {
  return spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', stdout, 'pipe'],
  })
}

async function endOf(child: ChildProcess): Promise<{ code: unknown; said: string }> {
  const [[code], said] = await Promise.all([
    once(child, 'close') as Promise<unknown[]>,
    child.stderr ? text(child.stderr) : '',
  ])
  return { code, said }
}

test('without its data folder, or with a setting misspelt, it says what to set', async () => {
  const missing = await endOf(start({}))
  expect(missing.code).toBe(1)
  expect(missing.said).toContain('COMMUNITY_LAB_AGENT_DATA is not set')
  const misspelt = await endOf(start({ COMMUNITY_LAB_AGENT_DATE: dataDir }))
  expect(misspelt.said).toContain('COMMUNITY_LAB_AGENT_DATA')
})

test('it shows its help without any setting', async () => {
  const asked = start({}, 'pipe', ['owner', '--help'])
  const shown = asked.stdout ? text(asked.stdout) : ''
  expect(await endOf(asked)).toEqual({ code: 0, said: '' })
  expect(await shown).toContain('owner [STATE] [--reason TEXT]')
})

test('the owner of the device says what the node may do, without its agent', async () => {
  const env = { COMMUNITY_LAB_AGENT_DATA: dataDir }
  expect(await endOf(start(env, 'ignore', ['owner', 'safe']))).toEqual({ code: 0, said: '' })
  const kept: unknown = JSON.parse(await readFile(join(dataDir, 'owner.json'), 'utf8'))
  expect(kept).toMatchObject({ state: 'safe' })
  const wrong = await endOf(start(env, 'ignore', ['stop']))
  expect(wrong.code).toBe(1)
  expect(wrong.said).toContain('LAB_CLI_USAGE')
})

test('a node that was never enrolled needs its token, and a damaged one is refused', async () => {
  const none = await endOf(start({ COMMUNITY_LAB_AGENT_DATA: dataDir }))
  expect(none.said).toContain('COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN')
  const damaged = await endOf(
    start({
      COMMUNITY_LAB_AGENT_DATA: dataDir,
      COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: 'not a token',
    }),
  )
  expect(damaged.said).toContain('LAB_ENROLLMENT_MALFORMED')
})

test.each([
  'a file on a full disk',
  'a pipe that nobody reads any more, as when the log daemon has ended',
])('it goes on when its log is %s', async (what) => {
  const { server, port } = await holdPort()
  const contacted = once(server, 'connection')
  await using full = await open('/dev/full', 'w')
  const env = {
    COMMUNITY_LAB_AGENT_DATA: dataDir,
    COMMUNITY_LAB_AGENT_LOG_LEVEL: 'trace',
    COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: formatEnrollmentToken({
      url: `https://127.0.0.1:${port}`,
      certificateSha256: 'ab'.repeat(32),
      secret: 'a-secret-that-nobody-gave-out-0123456789',
    }),
  }
  const agent = start(env, what.startsWith('a pipe') ? 'pipe' : full.fd)
  agent.stdout?.destroy()
  await contacted
  const end = endOf(agent)
  agent.kill('SIGTERM')
  expect((await end).code).toBe(0)
  server.close()
})

test('while the server is away it waits, holds its folder against a second agent, and ends when asked to', async () => {
  const { server, port } = await holdPort()
  const contacted = once(server, 'connection')
  const env = {
    COMMUNITY_LAB_AGENT_DATA: dataDir,
    COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: formatEnrollmentToken({
      url: `https://127.0.0.1:${port}`,
      certificateSha256: 'ab'.repeat(32),
      secret: 'a-secret-that-nobody-gave-out-0123456789',
    }),
  }
  const left = join(dataDir, '.target.json.12-ab.tmp')
  await writeFile(left, '{"etag"')
  const first = start(env)
  const firstEnd = endOf(first)
  await contacted
  // An agent before it was killed while it wrote this.
  await expect(readFile(left)).rejects.toThrow('ENOENT')
  const second = await endOf(start(env))
  expect(second.said).toContain('LAB_AGENT_RUNNING')
  expect(await readFile(join(dataDir, 'tinc', 'rsa_key.priv'), 'utf8')).toContain('PRIVATE KEY')
  first.kill('SIGTERM')
  expect((await firstEnd).code).toBe(0)
  await expect(readFile(join(dataDir, 'agent.pid'))).rejects.toThrow('ENOENT')
  server.close()
})
