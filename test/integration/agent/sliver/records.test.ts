import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRecords } from '../../../../agent/src/sliver/store/records.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'records-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** As agents wrote it before records had versions. */
const version0 = {
  id: '1@3',
  nr: 1,
  stage: 'deployed',
  sliceInstanceSn: 0,
  instanceSn: 2,
  limits: { memory: 64, disk: 128, cpu: 100, processes: 128 },
  templateSha256: 'a'.repeat(64),
  sshAuthorizedKeys: ['ssh-ed25519 AAAA one'],
  interfaces: [
    { nr: 1, name: 'mgmt0', type: 'management', mac_addr: '06:ab:00:03:01:01', ipv6_addr: null },
  ],
  sshHostKey: 'ssh-ed25519 AAAA host',
  startedOn: null,
  process: null,
  ended: null,
}

async function put(id: string, record: unknown): Promise<void> {
  await mkdir(join(dir, id))
  const text = typeof record === 'string' ? record : JSON.stringify(record)
  await writeFile(join(dir, id, 'sliver.json'), text)
  await writeFile(join(dir, id, 'disk.img'), 'what the sliver wrote')
}

const kept = (id: string): Promise<string> => readFile(join(dir, id, 'disk.img'), 'utf8')
const stored = async (id: string): Promise<unknown> =>
  JSON.parse(await readFile(join(dir, id, 'sliver.json'), 'utf8'))

it('reads a record from before versions, and writes it in a form that an agent from before still reads', async () => {
  await put('1@3', version0)
  const records = await openRecords(dir)
  expect(records.get('1@3')).toMatchObject(version0)
  await records.save({ ...version0, stage: 'deployed', instanceSn: 3 } as never)
  expect(await stored('1@3')).toEqual({ ...version0, instanceSn: 3, version: 3, readableFrom: 0 })
})

it('keeps what a newer agent has written when that allows this one to read it', async () => {
  const newer = { ...version0, version: 4, readableFrom: 1, mood: { of: 'the sliver' } }
  await put('1@3', newer)
  const records = await openRecords(dir)
  const record = records.get('1@3')
  expect(record).toMatchObject(version0)
  if (record) await records.save({ ...record, instanceSn: 3 })
  expect(await stored('1@3')).toEqual({ ...newer, instanceSn: 3 })
})

it('sets a record aside that only a newer agent can read, and has it again once it can', async () => {
  await put('1@3', { ...version0, version: 9, readableFrom: 9 })
  await put('2@3', { ...version0, id: '2@3', nr: 2 })
  const records = await openRecords(dir)
  expect(records.all().map(({ id }) => id)).toEqual(['2@3'])
  const { reason, keptAt = '' } = records.unreadable.get('1@3') ?? {}
  expect(reason).toBe('it is of version 9, and this agent reads versions up to 3')
  expect(keptAt).toMatch(/1@3\/sliver\.json\.unreadable-\d{4}-/u)
  expect(await kept('1@3')).toBe('what the sliver wrote')

  const again = await openRecords(dir)
  expect(again.unreadable.get('1@3')).toEqual({
    kind: 'unreadable',
    reason,
    keptAt,
    isDamaged: true,
  })
  // The newer agent, simulated: the same file in a form that is read here.
  await writeFile(keptAt, JSON.stringify(version0))
  expect((await openRecords(dir)).get('1@3')).toMatchObject(version0)
  expect((await readdir(join(dir, '1@3'))).sort()).toEqual(['disk.img', 'sliver.json'])
})

it.each([
  ['no JSON', '{"id":'],
  ['not an object', '[]'],
  ['a member of another type', { ...version0, nr: 'one' }],
  ['a member that lacks', { ...version0, limits: undefined }],
  ['a version that is no number', { ...version0, version: 'new' }],
  ['the record of another sliver', { ...version0, id: '7@3' }],
])('keeps a sliver whose record is %s, and the others', async (_, record) => {
  await put('1@3', record)
  await put('2@3', { ...version0, id: '2@3', nr: 2 })
  const records = await openRecords(dir)
  expect(records.get('2@3')).toBeDefined()
  expect([...records.unreadable.keys()]).toEqual(['1@3'])
  expect(await kept('1@3')).toBe('what the sliver wrote')
})

it('keeps a folder without a record that has content, and one that is no sliver’s', async () => {
  await mkdir(join(dir, '1@3', 'upper'), { recursive: true })
  await mkdir(join(dir, 'lost+found'))
  const { unreadable } = await openRecords(dir)
  expect([...unreadable.keys()].sort()).toEqual(['1@3', 'lost+found'])
  expect((await readdir(dir)).sort()).toEqual(['1@3', 'lost+found'])
})

it('removes a folder in which nothing was written yet, and one whose removal had begun', async () => {
  await mkdir(join(dir, '1@3'))
  await writeFile(join(dir, '1@3', '.sliver.json.12-ab.tmp'), '{"id"')
  await mkdir(join(dir, '.removed-2@3', 'upper'), { recursive: true })
  const { unreadable } = await openRecords(dir)
  expect([unreadable.size, await readdir(dir)]).toEqual([0, []])
})

it('gives no number twice: of two records with one, the sliver that runs keeps it', async () => {
  await put('1@3', version0)
  await put('2@3', { ...version0, id: '2@3', process: { pid: 1, startTicks: 1, bootId: 'now' } })
  const records = await openRecords(dir)
  expect(records.all().map(({ id }) => id)).toEqual(['2@3'])
  expect(records.unreadable.get('1@3')?.reason).toBe('its number 1 is that of sliver 2@3 now')
})
