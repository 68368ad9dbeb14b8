import {
  path,
  routes,
  type Group,
  type GroupRequest,
  type NodeTarget,
} from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import type { TestbedWorld, Testbeds } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import { answerOf, type People, type Person } from './people.ts'

let testbeds: Testbeds
let world: TestbedWorld
let people: People
useTestbed((bed) => ({ testbeds, world, people } = bed))

const aPerson = () => people.aPerson()
const aGroup = (admin: Person, allowed: object = {}) => people.aGroup(admin, allowed)
const join = (...args: Parameters<People['join']>) => people.join(...args)
const roleOf = (group: Group, { id }: Person) => group.user_roles.find(({ user }) => user.id === id)
const readGroup = async ({ uri }: Group) => (await world.ask(null, 'GET', uri)).json<Group>()

describe('a user', () => {
  it('has so many groups, tokens and requests at most, also when all are asked for at once', async () => {
    const eve = await aPerson()
    const make = (count: number, url: string, bodyOf: (index: number) => object) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          answerOf(world.ask(eve.token, 'POST', url, { body: bodyOf(index) })),
        ),
      )
    const refused = (answers: Awaited<ReturnType<typeof make>>) =>
      answers.filter(([, code]) => code === 'LAB_ACCESS_TOO_MANY').length
    expect(refused(await make(60, routes.groups, (index) => ({ name: `eves-${index}` })))).toBe(10)
    // One is the token that asks.
    expect(refused(await make(205, routes.tokens, (index) => ({ name: `t${index}` })))).toBe(6)
  })
})

describe('a group', () => {
  it('is made by any user, who is its admin, and may have nothing before operators allow it', async () => {
    const ada = await aPerson()
    const group = (
      await world.ask(ada.token, 'POST', routes.groups, { body: { name: 'lenders' } })
    ).json<Group>()
    expect(group).toMatchObject({ allow_nodes: false, allow_slices: false, nodes: [], slices: [] })
    expect(roleOf(group, ada)).toMatchObject({ is_group_admin: true })
    for (const [url, body] of [
      [routes.slices, { name: 'early' }],
      [routes.nodes, { name: 'early' }],
    ] as const)
      expect(await answerOf(world.ask(ada.token, 'POST', url, { body }))).toEqual([
        403,
        'LAB_GROUP_NOT_ALLOWED',
      ])
    for (const what of ['nodes', 'slices'] as const) {
      const body = { kind: `allow_${what}`, group: { id: group.id }, message: 'a roof, two nodes' }
      const asked = await world.ask(ada.token, 'POST', routes.requests, { body })
      const { id } = asked.json<GroupRequest>()
      const accept = path(routes.requestAccept, { id })
      expect((await world.ask(ada.token, 'POST', accept, { body: {} })).statusCode).toBe(403)
      expect((await world.ask(world.operator, 'POST', accept, { body: {} })).statusCode).toBe(200)
      expect(await readGroup(group)).toMatchObject({ [`allow_${what}`]: true })
      expect(await answerOf(world.ask(ada.token, 'POST', routes.requests, { body }))).toEqual([
        409,
        'LAB_GROUP_REQUEST_NEEDLESS',
      ])
    }
    const node = await world.ask(ada.token, 'POST', routes.nodes, { body: { name: 'roof' } })
    expect(node.json()).toMatchObject({ group: { id: group.id } })
  })

  it('cannot lose its last admin: by a list of members, by leaving, or with a user who is removed', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    await join(group, bob, ada)
    const refused = [409, 'LAB_GROUP_LAST_ADMIN']
    const body = { user_roles: [{ user: { id: bob.id } }] }
    expect(await answerOf(world.ask(ada.token, 'PATCH', group.uri, { body }))).toEqual(refused)
    const leave = path(routes.groupLeave, { id: group.id })
    expect(await answerOf(world.ask(ada.token, 'POST', leave))).toEqual(refused)
    expect(await answerOf(world.ask(world.operator, 'DELETE', ada.uri))).toEqual(refused)
    expect(roleOf(await readGroup(group), ada)).toMatchObject({ is_group_admin: true })
    // A disabled admin is none: the other one may not go.
    const two = {
      user_roles: [
        { user: { id: ada.id }, is_group_admin: true },
        { user: { id: bob.id }, is_group_admin: true },
      ],
    }
    expect((await world.ask(ada.token, 'PATCH', group.uri, { body: two })).statusCode).toBe(200)
    await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } })
    expect(await answerOf(world.ask(bob.token, 'POST', leave))).toEqual(refused)
  })

  it('keeps one of two admins who leave at the same moment', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    await join(group, bob, ada, { is_group_admin: true })
    const leave = path(routes.groupLeave, { id: group.id })
    const answers = await Promise.all(
      [ada, bob].map(({ token }) => answerOf(world.ask(token, 'POST', leave))),
    )
    expect(answers.map(([status]) => status).sort()).toEqual([204, 409])
    expect((await readGroup(group)).user_roles).toHaveLength(1)
  })

  it('gets no member who has not asked, but by an operator', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    const body = {
      user_roles: [{ user: { id: ada.id }, is_group_admin: true }, { user: { id: bob.id } }],
    }
    const refused = await world.ask(ada.token, 'PUT', group.uri, { body })
    expect(refused.json()).toMatchObject({
      status: 409,
      code: 'LAB_GROUP_MEMBER_UNASKED',
      details: { group: group.name, user: bob.name },
    })
    const added = await world.ask(world.operator, 'PATCH', group.uri, { body })
    expect(roleOf(added.json(), bob)).toMatchObject({ is_slice_admin: false })
  })

  it('is removed when it owns nothing; its members can do nothing for it any more', async () => {
    const ada = await aPerson()
    const group = await aGroup(ada, { allow_slices: true })
    const slice = await world.ask(ada.token, 'POST', routes.slices, { body: { name: 'owned' } })
    const { uri } = slice.json<{ uri: string }>()
    expect(await answerOf(world.ask(ada.token, 'DELETE', group.uri))).toEqual([
      409,
      'LAB_GROUP_IN_USE',
    ])
    const empty = await aGroup(ada, { allow_slices: true })
    expect((await world.ask(ada.token, 'DELETE', empty.uri)).statusCode).toBe(204)
    const named = { name: 'late', group: { id: empty.id } }
    expect(await answerOf(world.ask(ada.token, 'POST', routes.slices, { body: named }))).toEqual([
      404,
      'LAB_NOT_FOUND',
    ])
    expect((await world.ask(ada.token, 'GET', uri)).json()).toMatchObject({
      group: { id: group.id },
    })
    const lone = await aPerson()
    const its = await aGroup(lone)
    await world.ask(lone.token, 'DELETE', its.uri)
    const refused = await world.ask(lone.token, 'POST', routes.slices, { body: { name: 'late' } })
    expect(refused.json()).toMatchObject({
      code: 'LAB_AUTH_FORBIDDEN',
      details: {
        needs:
          'the token of a group admin or slice admin of the group that it belongs to, or an operator',
      },
    })
  })

  it('must be named by who makes slices for several', async () => {
    const ada = await aPerson()
    const [one, two] = [
      await aGroup(ada, { allow_slices: true }),
      await aGroup(ada, { allow_slices: true }),
    ]
    const name = people.aName()
    const spec = { name, template: 'tiny', nodes: ['n1'] }
    const unclear = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body: spec })
    expect(unclear.json()).toMatchObject({
      code: 'LAB_GROUP_UNCLEAR',
      details: { groups: [one.name, two.name] },
    })
    const body = { ...spec, group: two.name }
    const ensured = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body })
    expect(ensured.json()).toMatchObject({ slice: { group: { id: two.id } } })
    // It is there now: nothing has to be named.
    const again = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body: spec })
    expect(again.statusCode).toBe(200)
  })
})

describe('a group from which something is withdrawn', () => {
  it('has its slices deployed but not started, and starts none until it is allowed again', async () => {
    const ada = await aPerson()
    const group = await aGroup(ada, { allow_slices: true })
    const body = { name: people.aName(), template: 'tiny', nodes: ['n2'] }
    const ensured = await world.ask(ada.token, 'PUT', routes.sliceEnsure, { body })
    const { slice } = ensured.json<{ slice: { uri: string; id: number } }>()
    const setOf = async () => {
      const url = path(routes.nodeTarget, { id: 2 })
      const target = (await world.ask(world.nodes[1] ?? '', 'GET', url)).json<NodeTarget>()
      return target.slivers.find((sliver) => sliver.slice_id === slice.id)?.set_state
    }
    expect(await setOf()).toBe('start')
    await world.ask(world.operator, 'PATCH', group.uri, { body: { allow_slices: false } })
    expect(await setOf()).toBe('deploy')
    const refused = [403, 'LAB_GROUP_NOT_ALLOWED']
    const start = { set_state: 'start' }
    for (const token of [ada.token, world.operator])
      expect(await answerOf(world.ask(token, 'PATCH', slice.uri, { body: start }))).toEqual(refused)
    expect(await answerOf(world.ask(ada.token, 'PUT', routes.sliceEnsure, { body }))).toEqual(
      refused,
    )
    const add = { slice: { id: slice.id }, node: { id: 1 } }
    expect(await answerOf(world.ask(ada.token, 'POST', routes.slivers, { body: add }))).toEqual(
      refused,
    )
    await world.ask(world.operator, 'PATCH', group.uri, { body: { allow_slices: true } })
    expect((await world.ask(ada.token, 'PATCH', slice.uri, { body: start })).statusCode).toBe(200)
    expect(await setOf()).toBe('start')
    await world.ask(world.operator, 'PATCH', group.uri, { body: { allow_slices: false } })
    expect((await world.ask(ada.token, 'DELETE', slice.uri)).statusCode).toBe(204)
  })

  it('has its nodes go to safe, where they stay', async () => {
    await using own = await testbeds.start()
    const ask = (body: object, uri: string) => own.ask(own.operator, 'PATCH', uri, { body })
    const [group] = (await own.ask(null, 'GET', routes.groups)).json<Group[]>()
    const [uri, node] = [group?.uri ?? '', path(routes.node, { id: 1 })]
    await ask({ allow_nodes: false }, uri)
    const target = await own.ask(own.nodes[0] ?? '', 'GET', path(routes.nodeTarget, { id: 1 }))
    expect(target.json()).toMatchObject({ node: { set_state: 'safe' } })
    expect(
      await ask({ set_state: 'production' }, node).then(({ json }) => json<object>()),
    ).toMatchObject({
      code: 'LAB_GROUP_NOT_ALLOWED',
    })
    await ask({ allow_nodes: true }, uri)
    expect((await ask({ set_state: 'production' }, node)).statusCode).toBe(200)
  })
})

describe('a request', () => {
  it('waits once: asked again it is refused with the one that waits', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    const body = { kind: 'join', group: { id: group.id } }
    const answers = await Promise.all([
      world.ask(bob.token, 'POST', routes.requests, { body }),
      world.ask(bob.token, 'POST', routes.requests, { body }),
    ])
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409])
    const refused = answers.find(({ statusCode }) => statusCode === 409)
    expect(refused?.json()).toMatchObject({ code: 'LAB_GROUP_REQUEST_PENDING' })
  })

  it('is decided once, by two who decide it at the same moment', async () => {
    const [ada, bob] = [await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    const body = { kind: 'join', group: { id: group.id } }
    const { id } = (
      await world.ask(bob.token, 'POST', routes.requests, { body })
    ).json<GroupRequest>()
    const answers = await Promise.all([
      answerOf(world.ask(ada.token, 'POST', path(routes.requestAccept, { id }), { body: {} })),
      answerOf(world.ask(world.operator, 'POST', path(routes.requestRefuse, { id }))),
    ])
    expect(answers.filter(([status]) => status === 200)).toHaveLength(1)
    expect(answers).toContainEqual([409, 'LAB_GROUP_REQUEST_DECIDED'])
    const isMember = roleOf(await readGroup(group), bob) !== undefined
    const { state } = (
      await world.ask(bob.token, 'GET', path(routes.request, { id }))
    ).json<GroupRequest>()
    expect(state).toBe(isMember ? 'accepted' : 'refused')
  })

  it('is seen by who asked, by the admins of its group and by operators alone', async () => {
    const [ada, bob, eve] = [await aPerson(), await aPerson(), await aPerson()]
    const group = await aGroup(ada)
    await aGroup(eve)
    const body = { kind: 'join', group: { id: group.id }, message: 'from the university' }
    const { id } = (
      await world.ask(bob.token, 'POST', routes.requests, { body })
    ).json<GroupRequest>()
    const sees = async (token: string) => {
      const list = (await world.ask(token, 'GET', routes.requests)).json<GroupRequest[]>()
      return list.some((request) => request.id === id)
    }
    expect(await Promise.all([ada, bob, eve].map(({ token }) => sees(token)))).toEqual([
      true,
      true,
      false,
    ])
    expect(await sees(world.operator)).toBe(true)
    expect((await world.ask(bob.token, 'DELETE', path(routes.request, { id }))).statusCode).toBe(
      204,
    )
  })
})

describe('the testbed’s agreement', () => {
  it('is accepted by its newest number when a group is made, and again before the group asks for more', async () => {
    await using own = await testbeds.start()
    const publish = (text: string) =>
      own.ask(own.operator, 'POST', routes.agreements, { body: { text } })
    expect((await publish('Be kind.')).json()).toMatchObject({ id: 1, text: 'Be kind.' })
    const make = (body: object) => own.ask(own.red, 'POST', routes.groups, { body })
    expect((await make({ name: 'g' })).json()).toMatchObject({
      code: 'LAB_GROUP_AGREEMENT',
      details: { newest: 1 },
    })
    const group = (await make({ name: 'g', agreement: 1 })).json<Group>()
    expect(group.agreement).toMatchObject({ id: 1 })
    await publish('Be kind and careful.')
    const ask = { kind: 'allow_slices', group: { id: group.id } }
    const refused = await own.ask(own.red, 'POST', routes.requests, { body: ask })
    expect(refused.json()).toMatchObject({ code: 'LAB_GROUP_AGREEMENT', details: { newest: 2 } })
    const accept = path(routes.groupAcceptAgreement, { id: group.id })
    const old = await own.ask(own.red, 'POST', accept, { body: { agreement: 1 } })
    expect(old.statusCode).toBe(409)
    const accepted = await own.ask(own.red, 'POST', accept, { body: { agreement: 2 } })
    expect(accepted.json()).toMatchObject({ agreement: { id: 2 } })
    const asked = await own.ask(own.red, 'POST', routes.requests, { body: ask })
    expect(asked.statusCode).toBe(201)
  })
})
