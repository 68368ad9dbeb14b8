import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runOwnerCommand } from '../../../../agent/src/owner/command.ts'
import { readOwner, watchOwner } from '../../../../agent/src/owner/setting.ts'
import { eventually } from '../../../support/eventually.ts'

let dataDir: string
let written: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'agent-owner-'))
  written = ''
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

const run = (...args: string[]) =>
  runOwnerCommand({ args, dataDir, by: 'ada', write: (text) => void (written += text) })

it('keeps what the owner sets, with who, when and why, and prints it', async () => {
  await run()
  expect(written).toBe('the owner has set nothing\n')
  await run('safe', '--reason', 'moving house')
  expect(await readOwner(dataDir)).toMatchObject({
    state: 'safe',
    reason: 'moving house',
    by: 'ada',
  })
  written = ''
  await run()
  expect(written).toContain('the owner holds the node in safe (ada, on the device, since ')
  await run('production')
  expect(await readOwner(dataDir)).toMatchObject({ state: 'production', reason: null })
})

it.each([
  [['debug'], '"debug" is no state'],
  [['safe', 'now'], '"now" is no state'],
  [['--reason', 'x'], 'a reason needs a state'],
  [['safe', '--reason', 'a\nb'], 'a reason is one line'],
  [['safe', '--frob'], '--frob'],
])('refuses %j and changes nothing', async (args, problem) => {
  const refusal = await run(...args).catch((error: unknown) => error)
  expect(LabError.is(refusal, 'LAB_CLI_USAGE')).toBe(true)
  expect(String(refusal)).toContain(problem)
  expect(await readOwner(dataDir)).toBeNull()
})

it('refuses a data folder that is not there, most likely misspelt', async () => {
  const nowhere = { args: ['safe'], dataDir: join(dataDir, 'no'), write: () => undefined }
  await expect(runOwnerCommand(nowhere)).rejects.toThrow('COMMUNITY_LAB_AGENT_DATA')
})

it('is followed by a running agent, which takes a damaged file for safe and leaves it there', async () => {
  const owner = await watchOwner(dataDir)
  let changes = 0
  owner.onChange(() => changes++)
  expect(owner.setting).toBeNull()
  await run('failure')
  await eventually(() => expect(owner.setting).toMatchObject({ state: 'failure' }))
  await writeFile(join(dataDir, 'owner.json'), '{"state":')
  await eventually(() =>
    expect(owner.setting).toMatchObject({ state: 'unreadable', isDamaged: true }),
  )
  expect(await readFile(join(dataDir, 'owner.json'), 'utf8')).toBe('{"state":')
  await run('production')
  await eventually(() => expect(owner.setting).toMatchObject({ state: 'production' }))
  expect(changes).toBeGreaterThanOrEqual(3)
  owner.close()
})

it('can be read by an agent of another user, as when the owner uses sudo', async () => {
  await run('safe')
  const { mode } = await stat(join(dataDir, 'owner.json'))
  expect(mode & 0o777).toBe(0o644)
})

it('holds the node in safe when it cannot be read for longer than a moment', async () => {
  const owner = await watchOwner(dataDir)
  await mkdir(join(dataDir, 'owner.json'))
  await eventually(() => expect(owner.setting).toMatchObject({ state: 'unreadable' }))
  owner.close()
})
