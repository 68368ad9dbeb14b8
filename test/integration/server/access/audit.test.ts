import { path, routes, type AuditEntry, type Token, type User } from '@community-lab/contract'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { aReport, type TestbedWorld } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'

let world: TestbedWorld
useTestbed((bed) => ({ world } = bed))

const read = async (query: string) =>
  (await world.ask(world.operator, 'GET', `${routes.audit}?${query}`)).json<AuditEntry[]>()
const filter = (member: string, value: unknown) =>
  `/${member}=${encodeURIComponent(JSON.stringify(value))}`

describe('the audit trail', () => {
  it('tells of each change who made it, from where, by which token and right; by object and by person', async () => {
    const body = { name: 'traced', template: 'tiny', nodes: ['n1'] }
    await world.app.inject({
      method: 'PUT',
      url: routes.sliceEnsure,
      remoteAddress: '2001:db8::7',
      headers: { authorization: `Bearer ${world.red}` },
      payload: body,
    })
    const [slice] = (await world.ask(null, 'GET', routes.slices)).json<{ id: number }[]>()
    const id = slice?.id ?? -1
    await world.ask(world.operator, 'DELETE', path(routes.slice, { id }))
    const ofSlice = await read(`${filter('kind', 'slice')}&${filter('object_id', String(id))}`)
    expect(ofSlice).toMatchObject([
      {
        action: 'created',
        user: { id: 2 },
        user_name: 'red',
        token_name: 'red',
        role: 'researcher',
        address: '2001:db8::7',
        right: 'make a slice',
      },
      { action: 'deleted', user_name: 'operator', role: 'operator', right: 'remove a slice' },
    ])
    const ofNode = await read(`${filter('kind', 'node')}&${filter('object_id', '1')}`)
    expect(ofNode.filter(({ right }) => right.endsWith('a slice'))).toEqual([])
    const ofRed = await read(filter('user/id', 2))
    expect(ofRed.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['slice', 'sliver']))
    expect(ofRed.every(({ user_name }) => user_name === 'red')).toBe(true)
  })

  it('has what no event tells of: users, groups, tokens and requests', async () => {
    const made = await world.ask(world.operator, 'POST', routes.users, { body: { name: 'traced' } })
    const user = made.json<User>()
    const its = { name: 'its', user: 'traced' }
    const { token } = (await world.ask(world.operator, 'POST', routes.tokens, { body: its })).json<{
      token: Token
    }>()
    await world.ask(world.operator, 'PATCH', user.uri, { body: { is_active: false } })
    await world.ask(world.operator, 'DELETE', user.uri)
    const of = async (kind: string, id: number) =>
      (await read(`${filter('kind', kind)}&${filter('object_id', String(id))}`)).map(
        ({ action, right }) => `${action}: ${right}`,
      )
    expect(await of('user', user.id)).toEqual([
      'created: make a user',
      'updated: change a user',
      'deleted: remove a user',
    ])
    expect(await of('token', token.id)).toEqual(['created: make a token', 'deleted: remove a user'])
  })

  it('keeps the names of who removes their own token, and tells of enrolment tokens', async () => {
    const body = { name: 'short', role: 'operator' }
    const made = await world.ask(world.operator, 'POST', routes.tokens, { body })
    const { token, secret } = made.json<{ token: Token; secret: string }>()
    await world.ask(secret, 'POST', path(routes.nodeEnrollmentToken, { id: 2 }))
    await world.ask(secret, 'DELETE', token.uri)
    const his = await read(filter('token/id', token.id))
    expect(his.map(({ kind, right }) => [kind, right])).toEqual([
      ['node', 'make an enrolment token'],
      ['token', 'revoke a token'],
    ])
    for (const entry of his)
      expect(entry).toMatchObject({ user_name: 'operator', token_name: 'short' })
  })

  it('has nothing of what was refused, only read, or reported by nodes', async () => {
    const before = (await read('')).length
    await world.ask(world.blue, 'POST', path(routes.nodeReboot, { id: 1 }))
    await world.ask(world.red, 'GET', routes.users)
    await world.report(1, aReport({ soft_version: '0.2.0' }))
    const taken = { name: 'tiny', node_archs: ['x86_64'] }
    await world.ask(world.operator, 'POST', routes.templates, { body: taken })
    expect(await read('')).toHaveLength(before)
  })

  it('is changed by nobody, not even in the database', async () => {
    const { db } = world.database
    for (const statement of [
      sql`update audit set user_id = 1`,
      sql`delete from audit`,
      sql`truncate audit`,
    ])
      await expect(statement.execute(db)).rejects.toThrow('the audit trail is never changed')
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const)
      expect((await world.ask(world.operator, method, `${routes.audit}1/`)).statusCode).toBe(405)
    expect((await world.ask(world.red, 'GET', routes.audit)).statusCode).toBe(403)
  })
})
