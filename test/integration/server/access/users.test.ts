import {
  parseEnrollmentToken,
  path,
  routes,
  type EnrollmentToken,
  type NodeTarget,
  type User,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { readEvents } from '../world/events.ts'
import {
  askToEnroll,
  makeTincKey,
  makeToken,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import { answerOf, peopleOf, type People, type Person } from './people.ts'

let testbeds: Testbeds
let world: TestbedWorld
let people: People
useTestbed((bed) => ({ testbeds, world, people } = bed))

const aPerson = () => people.aPerson()
const aGroup = (admin: Person, allowed: object = {}) => people.aGroup(admin, allowed)
const join = (...args: Parameters<People['join']>) => people.join(...args)

describe('who is disabled', () => {
  it('is let in by no token and no SSH key, loses what is open, and comes back whole', async () => {
    const ada = await aPerson()
    await aGroup(ada, { allow_slices: true })
    const key = `ssh-ed25519 AAAA ${ada.name}`
    await world.ask(ada.token, 'POST', routes.addAuthToken, { body: { auth_token: key } })
    const body = { name: people.aName(), template: 'tiny', nodes: ['n1'] }
    await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body })
    const isLetIn = async () => {
      const url = path(routes.nodeTarget, { id: 1 })
      const target = (await world.ask(world.nodes[0] ?? '', 'GET', url)).json<NodeTarget>()
      return target.slivers.some((sliver) => sliver.ssh_authorized_keys.includes(key))
    }
    await using reader = await readEvents(world, { token: ada.token })
    await reader.take(1)
    const enable = (isActive: boolean) =>
      world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: isActive } })
    expect(await isLetIn()).toBe(true)
    await enable(false)
    expect(await isLetIn()).toBe(false)
    const refused = await world.ask(ada.token, 'GET', routes.nodes)
    expect(refused.json()).toMatchObject({
      code: 'LAB_AUTH_INVALID_TOKEN',
      details: { reason: `user ${ada.name} is disabled` },
    })
    for (;;) if ((await reader.next().catch(() => null)) === null) break
    await enable(true)
    expect(await isLetIn()).toBe(true)
    expect((await world.ask(ada.token, 'GET', routes.whoami)).statusCode).toBe(200)
  })

  it('is not the last operator', async () => {
    const url = path(routes.user, { id: 1 })
    for (const body of [{ is_active: false }, { is_superuser: false }])
      expect(await answerOf(world.ask(world.operator, 'PATCH', url, { body }))).toEqual([
        409,
        'LAB_AUTH_LAST_OPERATOR',
      ])
  })

  it('is any other user, also where all operators’ tokens end some day', async () => {
    await using own = await testbeds.start()
    await sql`update tokens set expires_on = '2099-01-01' where role = 'operator'`.execute(
      own.database.db,
    )
    const url = path(routes.user, { id: 2 })
    const body = { is_active: false }
    expect((await own.ask(own.operator, 'PATCH', url, { body })).statusCode).toBe(200)
  })
})

describe('a name of a user', () => {
  it('is not that of another in other letters, also when two are made or renamed at once', async () => {
    const make = (name: string) =>
      answerOf(world.ask(world.operator, 'POST', routes.users, { body: { name } }))
    expect(await make('Grace.Hopper')).toEqual([201, undefined])
    expect(await make('grace.hopper')).toEqual([409, 'LAB_NAME_TAKEN'])
    const both = await Promise.all([make('ALAN'), make('alan')])
    expect(both.map(([status]) => status).sort()).toEqual([201, 409])
    const ada = await aPerson()
    const rename = (name: string) =>
      answerOf(world.ask(world.operator, 'PATCH', ada.uri, { body: { name } }))
    expect(await rename('GRACE.hopper')).toEqual([409, 'LAB_NAME_TAKEN'])
    expect(await rename(ada.name.toUpperCase())).toEqual([200, undefined])
    await rename(ada.name)
  })

  it('that is like another’s since before such names were refused stays, and may be changed in all else', async () => {
    await sql`alter table users disable trigger user_is_named`.execute(world.database.db)
    const { rows } = await sql<{ id: number }>`
      insert into users (name, auth_tokens) values ('Twin', '{}'), ('twin', '{}') returning id`.execute(
      world.database.db,
    )
    await sql`alter table users enable trigger user_is_named`.execute(world.database.db)
    for (const { id } of rows) {
      const body = { description: 'one of two' }
      const url = path(routes.user, { id })
      expect((await world.ask(world.operator, 'PATCH', url, { body })).statusCode).toBe(200)
    }
    const body = { name: 'TWIN' }
    expect(await answerOf(world.ask(world.operator, 'POST', routes.users, { body }))).toEqual([
      409,
      'LAB_NAME_TAKEN',
    ])
  })
})

describe('a member who leaves', () => {
  it('has an event stream cut, and no SSH key in the group’s slivers', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada, { allow_slices: true })
    await join(group, bob, ada, { is_slice_admin: true })
    const key = `ssh-ed25519 AAAA ${bob.name}`
    await world.ask(bob.token, 'POST', routes.addAuthToken, { body: { auth_token: key } })
    const body = { name: people.aName(), template: 'tiny', nodes: ['n1'] }
    await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body })
    const keys = async () => {
      const url = path(routes.nodeTarget, { id: 1 })
      const target = (await world.ask(world.nodes[0] ?? '', 'GET', url)).json<NodeTarget>()
      return target.slivers.flatMap((sliver) => sliver.ssh_authorized_keys)
    }
    expect(await keys()).toContain(key)
    await using reader = await readEvents(world, { token: bob.token })
    await reader.take(1)
    const left = await world.ask(bob.token, 'POST', path(routes.groupLeave, { id: group.id }))
    expect(left.statusCode).toBe(204)
    expect(await keys()).not.toContain(key)
    for (;;) if ((await reader.next().catch(() => null)) === null) break
    expect((await world.ask(bob.token, 'GET', routes.whoami)).statusCode).toBe(200)
  })

  it('has an event stream cut also when the server hears nothing of it at that moment', async () => {
    await using own = await testbeds.start()
    const its = peopleOf(own)
    const [ada, bob] = [await its.aPerson(), await its.aPerson()]
    const group = await its.aGroup(ada)
    await its.join(group, bob, ada)
    await using reader = await readEvents(own, { token: bob.token })
    await using node = await readEvents(own, { token: own.nodes[0] ?? '' })
    await reader.take(1)
    await node.take(1)
    // Until it listens again it hears nothing.
    await sql`
      select pg_terminate_backend(pid, 10000) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%'`.execute(own.database.db)
    await own.ask(bob.token, 'POST', path(routes.groupLeave, { id: group.id }))
    for (;;) if ((await reader.next().catch(() => null)) === null) break
    await own.ask(own.operator, 'POST', path(routes.nodeReboot, { id: 1 }))
    expect(await node.take(1)).toHaveLength(1)
  })

  it('enrols no node with a token of before, and an operator who is none any more does not either', async () => {
    await using own = await testbeds.start()
    const its = peopleOf(own)
    const [ada, bob] = [await its.aPerson(), await its.aPerson()]
    const group = await its.aGroup(ada, { allow_nodes: true })
    await its.join(group, bob, ada, { is_node_admin: true })
    const body = { name: 'roof' }
    const node = (await own.ask(ada.token, 'POST', routes.nodes, { body })).json<{ id: number }>()
    const url = path(routes.nodeEnrollmentToken, { id: node.id })
    const issue = async (token: string) =>
      parseEnrollmentToken((await own.ask(token, 'POST', url)).json<EnrollmentToken>().token).secret
    const ofMember = await issue(bob.token)
    expect((await askToEnroll(own, ofMember)).statusCode).toBe(200)
    const late = await issue(bob.token)
    await own.ask(bob.token, 'POST', path(routes.groupLeave, { id: group.id }))
    expect(await answerOf(askToEnroll(own, late, makeTincKey()))).toEqual([
      401,
      'LAB_ENROLLMENT_REFUSED',
    ])
    const promote = (isSuperuser: boolean) =>
      own.ask(own.operator, 'PATCH', bob.uri, { body: { is_superuser: isSuperuser } })
    await promote(true)
    const operators = await makeToken(own, own.operator, {
      name: 'x',
      user: bob.name,
      role: 'operator',
    })
    const ofOperator = await issue(operators)
    await promote(false)
    expect((await askToEnroll(own, ofOperator, makeTincKey())).statusCode).toBe(401)
    expect((await askToEnroll(own, await issue(ada.token), makeTincKey())).statusCode).toBe(200)
  })
})

describe('a user’s own token', () => {
  it('is made, listed and voided by the user, who sees no other', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const secret = await makeToken(world, ada.token, { name: 'laptop', scope: 'read' })
    expect((await world.ask(secret, 'GET', routes.whoami)).json()).toMatchObject({
      role: 'researcher',
      user: { id: ada.id },
    })
    const list = async ({ token }: Person) =>
      (await world.ask(token, 'GET', routes.tokens)).json<{ name: string; uri: string }[]>()
    expect((await list(ada)).map(({ name }) => name)).toEqual(['its', 'laptop'])
    expect((await list(bob)).map(({ name }) => name)).toEqual(['its'])
    const { uri } = (await list(ada))[1] ?? { uri: '' }
    expect((await world.ask(bob.token, 'DELETE', uri)).statusCode).toBe(403)
    expect((await world.ask(ada.token, 'DELETE', uri)).statusCode).toBe(204)
    expect((await world.ask(secret, 'GET', routes.whoami)).statusCode).toBe(401)
  })

  it('ends no later than the one that made it', async () => {
    const ada = await aPerson()
    const ends = new Date(Date.now() + 3600_000).toISOString()
    const short = await makeToken(world, ada.token, { name: 'short', expires_on: ends })
    const made = await world.ask(short, 'POST', routes.tokens, { body: { name: 'child' } })
    expect(made.json()).toMatchObject({ token: { expires_on: ends } })
    const body = { name: 'child', expires_on: null }
    const refused = await world.ask(short, 'POST', routes.tokens, { body })
    expect(refused.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/expires_on' }] },
    })
  })

  it('is not made when it would have ended already', async () => {
    const ada = await aPerson()
    const body = { name: 'late', expires_on: '2020-01-01T00:00:00Z' }
    const refused = await world.ask(ada.token, 'POST', routes.tokens, { body })
    expect(refused.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: {
        issues: [{ pointer: '/expires_on', message: expect.stringContaining('future') as string }],
      },
    })
  })
})

describe('the SSH keys of others', () => {
  it('are shown to operators alone, and no filter tells of them', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const key = `ssh-ed25519 AAAA ${ada.name}`
    await world.ask(ada.token, 'POST', routes.addAuthToken, { body: { auth_token: key } })
    const keysSeenBy = async (token: string) => {
      const users = (await world.ask(token, 'GET', routes.users)).json<User[]>()
      const found = await world.ask(
        token,
        'GET',
        `${routes.users}?/auth_tokens/_=${encodeURIComponent(JSON.stringify(key))}`,
      )
      return [
        users.find(({ id }) => id === ada.id)?.auth_tokens,
        found.json<User[]>().map(({ id }) => id),
      ]
    }
    expect(await keysSeenBy(bob.token)).toEqual([undefined, []])
    expect(await keysSeenBy(ada.token)).toEqual([[key], [ada.id]])
    expect(await keysSeenBy(world.operator)).toEqual([[key], [ada.id]])
  })
})
