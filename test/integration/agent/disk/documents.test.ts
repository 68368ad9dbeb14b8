import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openLoopStore, type LoopStore } from '../../../../agent/src/loop/store.ts'
import { loadIdentity, readIdentity, saveIdentity } from '../../../../agent/src/mgmt/identity.ts'
import { createNodeProblems, type NodeProblems } from '../../../../agent/src/report/problems.ts'
import { version } from '../../../../agent/src/version.ts'
import { aTarget } from '../../../unit/agent/plan/situation.ts'

let dir: string
let problems: NodeProblems
let store: LoopStore
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'documents-'))
  problems = createNodeProblems()
  store = await openLoopStore(dir, problems)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const put = (name: string, document: unknown): Promise<void> =>
  writeFile(join(dir, name), typeof document === 'string' ? document : JSON.stringify(document))
const stored = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(dir, name), 'utf8'))
const target = { ...aTarget(), testbed: { mgmt_ipv6_prefix: 'fd65::/48', sliver_mac_prefix: 1707 } }

it('reads what was wanted as an agent from before versions kept it, and asks the server for all of it again', async () => {
  await put('target.json', { etag: '"7"', target })
  expect(await store.loadTarget()).toMatchObject({ etag: null, wanted: { node: target.node } })
})

it('keeps what was wanted whole, with what this agent does not understand, and knows it by its ETag', async () => {
  const document = { ...target, weather: 'rain' }
  const wanted = { ...aTarget() }
  await store.saveTarget({ etag: '"8"', document, wanted })
  expect(await stored('target.json')).toEqual({
    version: 1,
    readableFrom: 0,
    etag: '"8"',
    softVersion: version,
    target: document,
  })
  expect(await store.loadTarget()).toMatchObject({ etag: '"8"', document })
})

it.each([
  ['is half a file', '{"etag":null,"tar'],
  ['only a newer agent can read', { version: 8, readableFrom: 8, wanted: [] }],
])('sets aside and tells what %s', async (_, document) => {
  await put('target.json', document)
  await put('boot.json', document)
  expect([await store.loadTarget(), await store.loadBoot()]).toEqual([null, null])
  const names = await readdir(dir)
  expect(names).toEqual([
    expect.stringMatching(/^boot\.json\.unreadable-/u),
    expect.stringMatching(/^target\.json\.unreadable-/u),
  ])
  expect(problems.list().map(({ message }) => message)).toEqual([
    expect.stringContaining('target.json.unreadable-'),
    expect.stringContaining('boot.json.unreadable-'),
  ])
})

it('reads how often the node was told to reboot as it was kept before versions, and by a newer agent that allows it', async () => {
  const boot = { bootSn: 3, lives: { '1@1': '7 now' } }
  await put('boot.json', boot)
  expect(await store.loadBoot()).toEqual(boot)
  await put('boot.json', { ...boot, version: 5, readableFrom: 1, why: 'an upgrade' })
  const newer = await store.loadBoot()
  expect(newer).toMatchObject(boot)
  if (newer) await store.saveBoot({ ...newer, bootSn: 4 })
  expect(await stored('boot.json')).toMatchObject({ version: 5, bootSn: 4, why: 'an upgrade' })
})

const identity = {
  node: { id: 3, name: 'n3' },
  token: 'cl_node_0123456789',
  mgmt_ipv6_prefix: 'fd65:fc41:c50f::/48',
  server: {
    url: 'https://[fd65:fc41:c50f::2]:8443',
    certificate_sha256: 'ab'.repeat(32),
    mgmt_addr: 'fd65:fc41:c50f::2',
    tinc: {
      name: 'server',
      pubkey: '-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKC\n-----END RSA PUBLIC KEY-----\n',
      addresses: [{ addr: '192.0.2.1', port: 655 }],
    },
  },
}

it('knows who it is by a file from before versions, and by one of a newer agent that allows it', async () => {
  await put('identity.json', identity)
  expect(await loadIdentity(dir)).toEqual(identity)
  await put('identity.json', { ...identity, version: 3, readableFrom: 1, badge: 'blue' })
  expect(await loadIdentity(dir)).toMatchObject(identity)
  await saveIdentity(dir, identity)
  expect(await stored('identity.json')).toEqual({ version: 1, readableFrom: 0, ...identity })
})

it.each([
  ['half', '{"node":'],
  ['of the future', { version: 9, readableFrom: 9 }],
  ['without a token', { ...identity, token: undefined }],
])('leaves an identity that is %s where it is, and says so', async (_, document) => {
  await put('identity.json', document)
  const error: unknown = await loadIdentity(dir).catch((thrown: unknown) => thrown)
  expect(LabError.is(error, 'LAB_IDENTITY_DAMAGED')).toBe(true)
  expect(await readdir(dir)).toEqual(['identity.json'])
})

it.each([
  ['a name that leaves its folder', { tinc: { ...identity.server.tinc, name: '../x' } }],
  ['a name of two lines', { tinc: { ...identity.server.tinc, name: 'a\nb' } }],
  ['an address of two lines', { mgmt_addr: 'fd65::2\nSubnet = ::/0' }],
  [
    'a key with further lines',
    { tinc: { ...identity.server.tinc, pubkey: `${identity.server.tinc.pubkey}Subnet = ::/0` } },
  ],
])('takes no answer to an enrolment that has %s', (_, change) => {
  const answer = { ...identity, server: { ...identity.server, ...change } }
  expect(typeof readIdentity(answer)).toBe('string')
})
