import {
  path,
  routes,
  type AuditEntry,
  type GroupRequest,
  type Node,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { removeOldAudit } from '../../../../server/src/registry/audit-trail.ts'
import { readEvents } from '../world/events.ts'
import { makeToken, type TestbedWorld } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import { answerOf, type People } from './people.ts'

let world: TestbedWorld
let people: People
useTestbed((bed) => ({ world, people } = bed))

describe('an operator’s token for another', () => {
  it('is made for a user there is: a name with a typing error makes no user', async () => {
    const body = { name: 'x', user: 'nobody-of-this-name' }
    expect(await answerOf(world.ask(world.operator, 'POST', routes.tokens, { body }))).toEqual([
      400,
      'LAB_REQUEST_INVALID',
    ])
    const filter = `?/name=${encodeURIComponent('"nobody-of-this-name"')}`
    expect((await world.ask(world.operator, 'GET', routes.users + filter)).json()).toEqual([])
  })

  it('is not made for a user who is disabled', async () => {
    const ada = await people.aPerson()
    await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } })
    const body = { name: 'x', user: ada.name }
    const refused = await world.ask(world.operator, 'POST', routes.tokens, { body })
    expect(refused.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/user' }] },
    })
  })
})

describe('a user who is removed in the middle of their request', () => {
  it('is refused as one whose token is unknown', async () => {
    const ada = await people.aPerson()
    await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_superuser: true } })
    const token = await makeToken(world, world.operator, {
      name: 'x',
      user: ada.name,
      role: 'operator',
    })
    const { db } = world.database
    // The request is let in, and waits for the node's row until its user is gone.
    const asked = await db.transaction().execute(async (tx) => {
      await sql`select from nodes where id = 1 for update`.execute(tx)
      const answer = answerOf(world.ask(token, 'POST', path(routes.nodeEnrollmentToken, { id: 1 })))
      await expect.poll(() => countWaiting(db)).toBe(1)
      await sql`delete from users where id = ${ada.id}`.execute(db)
      return { answer }
    })
    expect(await asked.answer).toEqual([401, 'LAB_AUTH_INVALID_TOKEN'])
  })
})

async function countWaiting(db: TestbedWorld['database']['db']): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`.execute(db)
  return rows[0]?.count ?? 0
}

describe('a request that is accepted by the list of members', () => {
  it('is in the audit trail, as one that is accepted by itself', async () => {
    const [ada, bob] = [await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada)
    const body = { kind: 'join', group: { id: group.id } }
    const asked = await world.ask(bob.token, 'POST', routes.requests, { body })
    const { id } = asked.json<GroupRequest>()
    const roles = [{ user: { id: ada.id }, is_group_admin: true }, { user: { id: bob.id } }]
    await world.ask(ada.token, 'PATCH', group.uri, { body: { user_roles: roles } })
    const url = `${routes.audit}?/kind="request"&/object_id="${id}"`
    expect((await world.ask(world.operator, 'GET', url)).json<AuditEntry[]>()).toMatchObject([
      { action: 'created', user_name: bob.name },
      { action: 'updated', user_name: ada.name, right: 'change a group' },
    ])
  })
})

describe('a group whose last active admin is disabled', () => {
  it('is told to operators as an incident', async () => {
    const [ada, bob] = [await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada)
    await people.join(group, bob, ada)
    await using reader = await readEvents(world, { token: world.operator })
    await reader.take(1)
    await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } })
    const [, { data } = {}] = await reader.take(2)
    expect(data).toMatchObject({
      kind: 'incident',
      object: { code: 'group_without_admin', node: null },
    })
    expect(data?.object).toHaveProperty('message', expect.stringContaining(`group ${group.name} `))
    // Everybody reads events, and nobody but users reads the names of users.
    expect(JSON.stringify(data)).not.toContain(`user ${ada.name}`)
  })
})

describe('a group whose slices have measured', () => {
  it('can be removed once it owns nothing: the samples stay, and its name in the audit trail', async () => {
    const ada = await people.aPerson()
    const group = await people.aGroup(ada, { allow_slices: true })
    const spec = { name: people.aName(), template: 'tiny', nodes: ['n1'] }
    const made = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body: spec })
    const { slice } = made.json<{ slice: { id: number; uri: string } }>()
    expect(await answerOf(world.ask(ada.token, 'DELETE', group.uri))).toEqual([
      409,
      'LAB_GROUP_IN_USE',
    ])
    await world.ask(ada.token, 'DELETE', slice.uri)
    expect((await world.ask(ada.token, 'DELETE', group.uri)).statusCode).toBe(204)
    expect(await world.context.registry.sliceGroup(slice.id)).toBe(group.id)
    const url = `${routes.audit}?/kind="group"&/object_id="${group.id}"`
    const entries = (await world.ask(world.operator, 'GET', url)).json<AuditEntry[]>()
    expect(entries.at(-1)).toMatchObject({ action: 'deleted', object_name: group.name })
  })
})

describe('a node on which slivers run', () => {
  it('stays in its group, also where an operator or a client of CONFINE sends another one', async () => {
    const ada = await people.aPerson()
    const group = await people.aGroup(ada, { allow_slices: true, allow_nodes: true })
    const spec = { name: people.aName(), template: 'tiny', nodes: ['n1'] }
    const made = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body: spec })
    const { slice } = made.json<{ slice: { id: number; uri: string } }>()
    const node = path(routes.node, { id: 1 })
    const read = async () => (await world.ask(world.operator, 'GET', node)).json<Node>()
    const before = await read()
    expect(before.group.id).not.toBe(group.id)
    const body = { group: { id: group.id } }
    const patched = answerOf(world.ask(world.operator, 'PATCH', node, { body }))
    expect(await patched).toEqual([400, 'LAB_REQUEST_INVALID'])
    const put = await world.ask(world.operator, 'PUT', node, {
      body: { ...before, ...body },
      headers: { accept: 'application/json' },
    })
    expect(put.statusCode).toBe(200)
    expect(await read()).toEqual(before)
    // A slice stays in its group, too.
    const moved = { body: { group: before.group } }
    const refused = answerOf(world.ask(world.operator, 'PATCH', slice.uri, moved))
    expect(await refused).toEqual([400, 'LAB_REQUEST_INVALID'])
    await world.ask(ada.token, 'DELETE', slice.uri)
  })
})

describe('the audit trail of a large slice', () => {
  it('has one entry for all of its slivers, with their number', async () => {
    const ada = await people.aPerson()
    await people.aGroup(ada, { allow_slices: true })
    const spec = { name: people.aName(), template: 'tiny', nodes: ['n1', 'n2'] }
    const made = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body: spec })
    const { id } = made.json<{ slice: { id: number } }>().slice
    const ofSlivers = `${routes.audit}?/kind="sliver"&/object_id="${id}@*"`
    expect((await world.ask(world.operator, 'GET', ofSlivers)).json()).toMatchObject([
      { action: 'created', count: 2, right: 'make a slice' },
    ])
  })

  it('ends with its retention, and nothing younger is removed', async () => {
    const { db } = world.database
    const read = async () =>
      (await sql<{ count: number }>`select count(*)::int as count from audit`.execute(db)).rows[0]
        ?.count
    await sql`alter table audit disable trigger user`.execute(db)
    await sql`update audit set time = now() - interval '731 days' where id = 1`.execute(db)
    await sql`alter table audit enable trigger user`.execute(db)
    const before = await read()
    await removeOldAudit(db)
    expect(await read()).toBe((before ?? 0) - 1)
    await expect(sql`delete from audit`.execute(db)).rejects.toThrow(
      'the audit trail is never changed',
    )
  })
})
