import { gzipSync } from 'node:zlib'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseHostFile, type Host } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { image, startTestbeds, type TestbedWorld, type Testbeds } from '../server/world/testbed.ts'
import { makePlace, type Place } from './world/place.ts'

let testbeds: Testbeds
let world: TestbedWorld
let place: Place
let url: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  url = await world.app.listen({ host: '127.0.0.1', port: 0 })
  place = await makePlace()
})
afterAll(async () => {
  await place[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

const attempt = (token: string, ...args: readonly string[]) =>
  place.run(args, { env: { COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: token } })

/** Run a command line with a token, and expect it to succeed. Returns what it printed. */
async function run(token: string, ...args: readonly string[]): Promise<string> {
  const done = await attempt(token, ...args)
  expect([done.code, done.err]).toEqual([0, expect.any(String)])
  return done.out
}

it('makes islands, and says which node and server are on them', async () => {
  const { operator } = world
  await run(operator, 'island', 'add', 'valley', '--description', 'the lower part')
  expect(await run(operator, 'node', 'set-island', 'n1', 'valley')).toBe(
    'node n1 is on island valley\n',
  )
  await run(operator, 'server', 'set', 'server', '--island', 'valley', '--name', 'main')
  expect(await run(operator, 'server', 'list')).toMatch(
    /2 +main +valley +fd65:fc41:c50f::2 +https:\/\/\[2001:db8::1\]:8443\/api\//u,
  )
  expect(await run(operator, 'node', 'show', 'n1')).toContain('island valley')
  await run(operator, 'island', 'set', 'valley', '--name', 'south')
  expect(await run(operator, 'island', 'list')).toMatch(/1 +south +the lower part/u)
  await run(operator, 'node', 'set-island', 'n1', 'none')
  const asked = await attempt(operator, 'island', 'remove', 'south')
  expect(asked.err).toContain('removing island south leaves what is on it without an island')
  await run(operator, 'island', 'remove', 'south', '--yes')
  const unknown = await attempt(operator, 'node', 'set-island', 'n1', 'south')
  expect(unknown.err).toContain('there is no island "south"')
  const refused = await attempt(world.red, 'island', 'add', 'mine')
  expect(refused.err).toContain('may not make an island; it needs the token of an operator')
})

it('registers a host with a tinc configuration whose key stays here, and removes it', async () => {
  const folder = join(place.home, 'laptop')
  const out = await run(world.red, 'host', 'add', 'laptop', '--folder', folder)
  expect(out).toContain(`cp -r '${folder}' /etc/tinc/community-lab\n  tincd -n community-lab\n`)
  const [host] = JSON.parse(await run(world.red, 'host', 'list', '--json')) as Host[]
  expect(host).toMatchObject({ name: 'laptop', owner: { id: 2 } })
  const own = parseHostFile(await readFile(join(folder, 'hosts', host?.tinc.name ?? ''), 'utf8'))
  expect(own).toMatchObject({
    pubkey: host?.tinc.pubkey,
    subnets: [`${host?.mgmt_net.addr ?? ''}/128`],
  })
  const hub = parseHostFile(await readFile(join(folder, 'hosts/server_2'), 'utf8'))
  expect(hub).toMatchObject({
    addresses: [{ addr: '2001:db8::1', port: 655 }],
    subnets: ['fd65:fc41:c50f::2/128', 'fd65:fc41:c50f::/48'],
  })
  expect(await readFile(join(folder, 'rsa_key.priv'), 'utf8')).toContain('PRIVATE KEY')
  expect((await readdir(folder)).sort()).toEqual([
    'host-down',
    'host-up',
    'hosts',
    'rsa_key.priv',
    'tinc-up',
    'tinc.conf',
  ])
  expect(await run(world.operator, 'host', 'list')).toMatch(/laptop +red +- +fd65:/u)
  const others = await attempt(world.blue, 'host', 'remove', 'laptop', '--yes')
  expect(others.err).toContain('the user whom it belongs to, or an operator')
  await run(world.red, 'host', 'remove', 'laptop', '--yes')
  expect(await run(world.red, 'host', 'list')).toBe('no hosts yet\n')
})

it('leaves a folder as it was when the host cannot be registered', async () => {
  const folder = join(place.home, 'mine')
  await mkdir(folder)
  await run(world.red, 'host', 'add', 'first', '--folder', join(place.home, 'first'))
  const taken = await attempt(world.red, 'host', 'add', 'first', '--folder', folder)
  expect(taken.err).toContain('LAB_NAME_TAKEN')
  expect(await readdir(folder)).toEqual([])
  await writeFile(join(folder, 'notes'), 'of mine')
  const full = await attempt(world.red, 'host', 'add', 'second', '--folder', folder)
  expect([full.code, full.err]).toEqual([2, expect.stringContaining('is not empty')])
  expect(await readdir(folder)).toEqual(['notes'])
})

it('adds a template of one’s group, which an operator publishes, and removes it', async () => {
  const none = await attempt(
    world.red,
    'template',
    'add',
    'own',
    await place.write('own.zip', 'PK'),
  )
  expect([none.code, none.err]).toEqual([2, expect.stringContaining('is no .tar.gz file')])
  const folder = await attempt(world.red, 'template', 'add', 'own', '/')
  expect([folder.code, folder.err]).toEqual([2, expect.stringContaining('is no file')])
  expect(await run(world.red, 'template', 'list')).not.toContain('own')
  const file = await place.write('own.tar.gz', image)
  await run(world.red, 'template', 'add', 'own', file)
  expect(await run(world.red, 'template', 'list')).toMatch(/own +red +no +yes +x86_64 +1/u)
  const refused = await attempt(world.red, 'template', 'publish', 'own')
  expect(refused.err).toContain('it needs the token of an operator; ask an operator of the testbed')
  expect(await run(world.operator, 'template', 'publish', 'own')).toBe('template own@1 is public\n')
  const second = await place.write('second.tar.gz', gzipSync('second'))
  expect(await run(world.red, 'template', 'add', 'own', second)).toContain(
    'slices get own@1 unless they name own@2; an operator can publish it',
  )
  expect(await run(world.red, 'template', 'show', 'own')).toMatch(/2 +no .*\n +1 +yes/u)
  await run(world.operator, 'template', 'publish', 'own@2')
  expect(await run(world.red, 'template', 'add', 'own', file)).toMatch(
    /slices get own@2 unless they name own@1\n$/u,
  )
  const one = await attempt(world.red, 'template', 'remove', 'own@1')
  expect(one.err).toContain('removing template own@1 deletes its image')
  await run(world.red, 'template', 'remove', 'own@1', '--yes')
  await run(world.operator, 'template', 'unpublish', 'own')
  expect(await run(world.red, 'template', 'list')).toMatch(/own +red +no/u)
  const asked = await attempt(world.red, 'template', 'remove', 'own')
  expect(asked.err).toContain('removing template own deletes its image')
  await run(world.red, 'template', 'remove', 'own', '--yes')
  expect(await run(world.red, 'template', 'list')).not.toContain('own')
})
