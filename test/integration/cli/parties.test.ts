import { lendsAll, path, routes, type Group, type Node, type WhoAmI } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  makeToken,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../server/world/testbed.ts'
import { makePlace, type Place } from './world/place.ts'

// A server of its own, whole but for its sockets' TLS: what commands print is what it says.
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

/** Run a command line with a token, and expect it to succeed. Returns what it printed. */
async function run(token: string, ...args: readonly string[]): Promise<string> {
  const done = await place.run(args, { env: envOf(token) })
  expect([args, done.code, done.err]).toEqual([args, 0, ''])
  return done.out
}
const envOf = (token: string) => ({ COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: token })

it('brings a group from its first user to nodes of its own', async () => {
  const { operator } = world
  await run(operator, 'user', 'create', 'ada')
  const ada = (await run(operator, 'token', 'create', 'first', '--user', 'ada')).trim()
  await run(ada, 'group', 'create', 'green')
  expect(await run(ada, 'request', 'ask', 'allow-nodes', 'green')).toBe(
    'request 1 waits for an answer\n',
  )
  const early = await place.run(['node', 'add', 'roof'], { env: envOf(ada) })
  expect([early.code, early.out]).toEqual([1, ''])
  expect(early.err).toContain('request ask allow-nodes green')
  expect(await run(operator, 'request', 'list')).toMatch(/1\s+ada\s+allow-nodes\s+green\s+pending/u)
  await run(operator, 'request', 'accept', '1')
  await run(ada, 'node', 'add', 'roof')
  const [node] = (JSON.parse(await run(ada, 'node', 'list', '--json')) as Node[]).filter(
    ({ name }) => name === 'roof',
  )
  const [group] = (JSON.parse(await run(ada, 'group', 'list', '--json')) as Group[]).filter(
    ({ name }) => name === 'green',
  )
  expect(node?.group.id).toBe(group?.id)
})

it('says that a server without an SMTP server sends no e-mail', async () => {
  expect(await run(world.operator, 'mail', 'status')).toContain('COMMUNITY_LAB_SERVER_SMTP_URL')
  const refused = await place.run(['mail', 'test'], { env: envOf(world.operator) })
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining('this testbed sends no e-mail'),
  ])
})

it('lets a member in with a role, shows it, changes it and ends it', async () => {
  await run(world.operator, 'user', 'create', 'bob')
  const bob = await makeToken(world, world.operator, { name: 'x', user: 'bob' })
  await run(bob, 'request', 'ask', 'join', 'red', '--message', 'for the thesis')
  const [waiting] = JSON.parse(await run(world.red, 'request', 'list', '--json')) as {
    id: number
  }[]
  await run(world.red, 'request', 'accept', String(waiting?.id), '--slice-admin')
  expect(await run(world.red, 'group', 'show', 'red')).toMatch(/bob\s+slice admin/u)
  expect(await run(bob, 'user', 'whoami')).toContain('slice admin of group red')
  await run(world.red, 'group', 'set-role', 'red', 'bob')
  expect(await run(bob, 'user', 'list')).toMatch(/bob\s+user\s.*red \(researcher\)/u)
  await run(world.red, 'group', 'remove-member', 'red', 'bob', '--yes')
  const { user } = JSON.parse(await run(bob, 'user', 'whoami', '--json')) as WhoAmI
  expect(user?.group_roles).toEqual([])
  const again = await place.run(['group', 'remove-member', 'red', 'bob', '--yes'], {
    env: envOf(world.red),
  })
  expect([again.code, again.out]).toEqual([1, ''])
  expect(again.err).toContain('there is no member of group red "bob" (there are: red)')
  const left = await place.run(['group', 'leave', 'red', '--yes'], { env: envOf(bob) })
  expect([left.code, left.out]).toEqual([1, ''])
  expect(left.err).toContain('there is no group of yours "red" (there are: none)')
})

it('names the groups that are left without any group admin when a user is removed', async () => {
  const { operator } = world
  await run(operator, 'user', 'create', 'bea')
  const bea = await makeToken(world, operator, { name: 'x', user: 'bea' })
  await run(bea, 'group', 'create', 'hills')
  const asked = await place.run(['user', 'remove', 'bea'], { env: envOf(operator) })
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('and leaves group hills without any group admin'),
  ])
  expect(await run(operator, 'user', 'remove', 'bea', '--yes')).toMatch(
    /user bea is removed.*\ngroup hills has no group admin any more; operators look after it\n/u,
  )
})

it('keeps the changes of group admins who change members at the same time', async () => {
  const names = ['cid', 'dot', 'eve', 'fay']
  for (const name of names) {
    await run(world.operator, 'user', 'create', name)
    const token = await makeToken(world, world.operator, { name, user: name })
    await run(token, 'request', 'ask', 'join', 'red')
  }
  await Promise.all(names.map((name) => run(world.red, 'group', 'set-role', 'red', name)))
  const shown = await run(world.red, 'group', 'show', 'red')
  expect(names.filter((name) => !shown.includes(name))).toEqual([])
})

it('asks before what stops things, and says who may', async () => {
  const asked = await place.run(['group', 'withdraw', 'red', 'slices'], {
    env: envOf(world.operator),
  })
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('withdrawing slices from group red stops what runs'),
  ])
  const demoted = await place.run(['user', 'demote', 'red'], { env: envOf(world.operator) })
  expect([demoted.code, demoted.err]).toEqual([
    2,
    expect.stringContaining('demoting user red ends their operator’s tokens for good'),
  ])
  const refused = await place.run(['group', 'set-role', 'red', 'red', '--slice-admin'], {
    env: envOf(world.blue),
  })
  expect(refused.err).toContain('the token of a group admin of group red, or an operator')
  const node = await place.run(['node', 'set-state', 'n1', 'safe'], { env: envOf(world.blue) })
  expect(node.err).toContain(
    'the token of a group admin or node admin of group community-lab, or an operator',
  )
})

it('makes no user by a typing error, and says whose tokens have one name', async () => {
  const { operator } = world
  await run(operator, 'user', 'create', 'carla')
  await run(operator, 'token', 'create', 'field', '--user', 'carla')
  await run(operator, 'user', 'create', 'dora')
  await run(operator, 'token', 'create', 'field', '--user', 'dora')
  const wrong = await place.run(['token', 'create', 'field', '--user', 'carlo'], {
    env: envOf(operator),
  })
  expect([wrong.code, wrong.out]).toEqual([1, ''])
  expect(wrong.err).toContain('there is no user "carlo"; did you mean "carla"?')
  expect(await run(operator, 'user', 'list')).not.toContain('carlo')
  const list = await run(operator, 'token', 'list')
  const ids = ['carla', 'dora'].map(
    (name) => new RegExp(`^ *(\\d+) +field +${name} `, 'mu').exec(list)?.[1],
  )
  const either = await place.run(['token', 'revoke', 'field', '--yes'], { env: envOf(operator) })
  expect(either.err).toContain(
    `2 tokens with the name "field"; give the id of one: ${ids.join(', ')}`,
  )
  await run(operator, 'token', 'revoke', ids[1] ?? '', '--yes')
  expect(await run(operator, 'token', 'list')).toMatch(/field +carla /u)
})

it('makes a token of one’s own, which only reads, and disables a user', async () => {
  const blue = (await run(world.blue, 'token', 'create', 'watch', '--scope', 'read')).trim()
  const refused = await place.run(['token', 'create', 'more'], { env: envOf(blue) })
  expect(refused.err).toContain('a token that may change things, not only read')
  await run(world.operator, 'user', 'disable', 'blue')
  const out = await place.run(['node', 'list'], { env: envOf(blue) })
  expect(out.err).toContain('user blue is disabled')
  await run(world.operator, 'user', 'enable', 'blue')
  await run(blue, 'node', 'list')
})

it('tells an operator who changed what', async () => {
  await run(world.red, 'token', 'create', 'traced')
  const table = await run(world.operator, 'audit', '--user', 'red', '--kind', 'token')
  expect(table).toMatch(/red\s+red\s+127\.0\.0\.1\s+make a token\s+token \d+\s+created/u)
  const plural = await place.run(['audit', '--kind', 'tokens'], { env: envOf(world.operator) })
  expect([plural.code, plural.out]).toEqual([2, ''])
  const refused = await place.run(['audit'], { env: envOf(world.red) })
  expect(refused.err).toContain('may not read the audit trail')
})

it('sets the quotas of a group, and shows what its slices take of them', async () => {
  const set = ['group', 'set-quota', 'red', '--slivers', '8', '--memory', '2GiB']
  const refused = await place.run(set, { env: envOf(world.red) })
  expect([refused.code, refused.out]).toEqual([1, ''])
  expect(refused.err).toContain('an operator')
  expect(await run(world.operator, ...set)).toMatch(/slivers\s+0\s+8\nmemory\s+0 MiB\s+2 GiB/u)
  expect(await run(world.red, 'group', 'show', 'red')).toMatch(/slivers\s+0\s+8\n/u)
  await run(world.operator, 'group', 'set-quota', 'red', '--slivers', 'default')
  expect(await run(world.red, 'group', 'show', 'red')).toMatch(/slivers\s+0\s+1000\n/u)
})

it('sets a password from its input, changes it with the one of before, and shows log-ins', async () => {
  await run(world.operator, 'user', 'create', 'nora')
  const nora = await makeToken(world, world.operator, { name: 'x', user: 'nora' })
  const first = 'a bicycle on the roof'
  const setPassword = (input: string, ...args: readonly string[]) =>
    place.run(['user', 'password', ...args], { env: envOf(nora), input })
  expect((await setPassword(`${first}\n${first}\n`)).out).toContain(
    'the password of user nora is changed; log-ins and sessions have ended; own tokens that go on: 1',
  )
  const body = { username: 'nora', password: first }
  expect((await world.ask(null, 'POST', routes.getAuthToken, { body })).statusCode).toBe(200)
  expect(await run(nora, 'token', 'list')).toMatch(/log-in\s+nora\s+researcher\s+all\s+login/u)
  const next = 'two bicycles on the roof'
  const wrong = await setPassword(`guess\n${next}\n${next}\n`)
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('LAB_AUTH_LOG_IN_FAILED')])
  const short = await setPassword(`${first}\n${next}\n`)
  expect(short.err).toContain('the input has no line for: new password again')
  expect((await setPassword(`${first}\n${next}\n${next}\n`)).code).toBe(0)
  const set = await place.run(['user', 'email', 'nora@example.org'], {
    env: envOf(nora),
    input: `${next}\n`,
  })
  expect(set.out).toBe('the e-mail address of user nora is changed\n')
})

it('sets what a node lends, and shows it beside what its device lends', async () => {
  const { operator } = world
  const lend = ['node', 'lend', 'n1', '--memory', '512MiB', '--hours', '22:00-06:00']
  const refused = await place.run(lend, { env: envOf(world.red) })
  expect([refused.code, refused.err]).toMatchObject([1, expect.stringContaining('node admin')])
  const device = { ...lendsAll, memory_mib: 1024, rate_mbps: 20 }
  const lending = { device, time_zone: 'Europe/Madrid', is_open: false, opens: 'mon 22:00' }
  await world.report(1, { lending })
  const set = await run(operator, ...lend, '--interfaces', 'none', '--cpu', '50')
  expect(set).toMatch(/memory\s+512 MiB\s+1 GiB\n/u)
  expect(set).toMatch(
    /network\s+all\s+20 Mbit\/s\ninterfaces\s+none\s+all\nhours\s+22:00-06:00\s+all\n/u,
  )
  expect(await run(operator, 'node', 'show', 'n1')).toMatch(
    /CPU\s+50 %\s+all\n[^]*again on mon 22:00 \(Europe\/Madrid\)/u,
  )
  const never = await place.run(['node', 'lend', 'n1', '--hours', 'sat,sun 00:00-00:00'], {
    env: envOf(operator),
  })
  expect([never.code, never.err]).toEqual([
    2,
    expect.stringContaining('00:00-24:00 for all day; --slivers 0 to lend nothing'),
  ])
  const always = await run(operator, 'node', 'lend', 'n1', '--memory', 'all', '--hours', 'all')
  expect(always).not.toContain('not lent at this hour')
  expect(await run(operator, 'node', 'show', 'n1')).toMatch(/memory\s+all\s+1 GiB\n/u)
})

it('invites a user, who sets a password by it without any token', async () => {
  await run(world.operator, 'user', 'create', 'mia')
  const invited = await place.run(['user', 'invite', 'mia'], { env: envOf(world.operator) })
  expect(invited.err).toContain(
    `hand it to mia, who opens ${url}/set-password#SECRET, or runs: community-lab user redeem --url ${url}`,
  )
  const password = 'a bicycle on the roof'
  const input = `${invited.out.trim()}\n${password}\n${password}\n`
  // A mail has a link, of which people paste the whole.
  const link = `${url}/set-password#${input}`
  const redeemed = await place.run(['user', 'redeem', '--url', url], { input: link })
  expect([redeemed.code, redeemed.err]).toEqual([
    0,
    expect.stringContaining('user mia has this password now'),
  ])
  expect(await run(redeemed.out.trim(), 'user', 'whoami')).toContain('mia')
  const again = await place.run(['user', 'redeem', '--url', url], { input })
  expect([again.code, again.err]).toEqual([
    1,
    expect.stringContaining('LAB_AUTH_INVITATION_REFUSED'),
  ])
})

it('says what is missing where a command would change nothing', async () => {
  for (const [args, missing] of [
    [['node', 'lend', 'n1'], 'say what to lend'],
    [['group', 'set-quota', 'red'], 'say what to set'],
    [['group', 'set', 'red'], 'say what to change'],
    [['token', 'revoke'], 'name one token'],
  ] as const) {
    const { code, err } = await place.run(args, { env: envOf(world.operator) })
    expect([code, err]).toEqual([2, expect.stringContaining(missing)])
  }
})

it('ends the log-ins of a user, and leaves the tokens that were made for programs', async () => {
  const { operator } = world
  await run(operator, 'user', 'create', 'gus')
  const gus = await makeToken(world, operator, { name: 'script', user: 'gus' })
  const body = { name: 'gus', password: 'a bicycle on the roof' }
  const who = JSON.parse(await run(gus, 'user', 'whoami', '--json')) as WhoAmI
  const auth = path(routes.userChangeAuth, { id: who.user?.id ?? -1 })
  await world.ask(operator, 'POST', auth, { body: { password: body.password } })
  const logIn = async () => {
    const { username, password } = { ...body, username: body.name }
    const headers = { accept: 'application/problem+json' }
    const answer = await world.ask(null, 'POST', routes.getAuthToken, {
      body: { username, password },
      headers,
    })
    return answer.json<{ token: string }>().token
  }
  const loggedIn = [await logIn(), await logIn()]
  const asked = await place.run(['token', 'revoke', '--log-ins'], { env: envOf(gus) })
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('locks out the pages and programs that have logged in (2)'),
  ])
  expect(await run(gus, 'token', 'revoke', '--log-ins', '--yes')).toBe(
    'log-ins of user gus that have ended: 2\n',
  )
  for (const token of loggedIn)
    expect((await world.ask(token, 'GET', routes.whoami)).statusCode).toBe(401)
  expect((await world.ask(gus, 'GET', routes.whoami)).statusCode).toBe(200)
  await logIn()
  const ofGus = ['--log-ins', '--user', 'gus', '--yes', '--json']
  const { revoked } = JSON.parse(await run(operator, 'token', 'revoke', ...ofGus)) as {
    revoked: number[]
  }
  expect(revoked).toHaveLength(1)
})

it('renames a group, and removes a node', async () => {
  const { operator } = world
  await run(operator, 'group', 'create', 'brook')
  expect(await run(operator, 'group', 'set', 'brook', '--name', 'river')).toBe(
    'group river is changed\n',
  )
  expect(await run(operator, 'group', 'show', 'river')).toContain('river (')
  await run(operator, 'node', 'add', 'mast')
  const asked = await place.run(['node', 'remove', 'mast'], { env: envOf(operator) })
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('removing node mast removes its slivers (0)'),
  ])
  expect(await run(operator, 'node', 'remove', 'mast', '--yes')).toBe('node mast is removed\n')
  expect(await run(operator, 'node', 'list')).not.toContain('mast')
})
