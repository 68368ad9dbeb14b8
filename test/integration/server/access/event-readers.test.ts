import { path, routes, type Group, type GroupRequest } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { readEvents, type EventReader } from '../world/events.ts'
import type { TestbedWorld } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import type { People, Person } from './people.ts'

let world: TestbedWorld
let people: People
useTestbed((bed) => ({ world, people } = bed))

/** What a reader is told of, up to a change of n2 that everybody is told. */
async function untilMark(reader: EventReader): Promise<readonly string[]> {
  await world.ask(world.operator, 'POST', path(routes.nodeReboot, { id: 2 }))
  const told: string[] = []
  for (;;) {
    const event = await reader.next()
    if (event === null) throw new Error('the stream has ended')
    if (event.event !== 'change') continue
    const { kind, action, object_id: id } = event.data
    if (kind === 'node' && id === '2') return told
    told.push(`${kind} ${id} ${action}`)
  }
}

const askToJoin = async (group: Group, { token }: Person) => {
  const body = { kind: 'join', group: { id: group.id }, message: 'for the thesis' }
  return (await world.ask(token, 'POST', routes.requests, { body })).json<GroupRequest>()
}

describe('events of groups, users and requests', () => {
  it('are for those who may read the object, also when it is gone', async () => {
    const [ada, bob, eve] = [await people.aPerson(), await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada)
    const readers = {
      anonymous: await readEvents(world),
      node: await readEvents(world, { token: world.nodes[0] ?? '' }),
      stranger: await readEvents(world, { token: eve.token }),
      asker: await readEvents(world, { token: bob.token }),
      admin: await readEvents(world, { token: ada.token }),
      operator: await readEvents(world, { token: world.operator }),
    }
    const request = await askToJoin(group, bob)
    const url = path(routes.request, { id: request.id })
    await world.ask(bob.token, 'DELETE', url)
    const body = { description: 'changed' }
    await world.ask(world.operator, 'PATCH', bob.uri, { body })
    await world.ask(ada.token, 'PATCH', group.uri, { body })
    const ofGroup = [`group ${group.id} updated`]
    const ofUser = [`user ${bob.id} updated`]
    const ofRequest = [`request ${request.id} created`, `request ${request.id} deleted`]
    expect(await untilMark(readers.anonymous)).toEqual(ofGroup)
    expect(await untilMark(readers.node)).toEqual(ofGroup)
    expect(await untilMark(readers.stranger)).toEqual([...ofUser, ...ofGroup])
    for (const who of ['asker', 'admin', 'operator'] as const)
      expect(await untilMark(readers[who])).toEqual([...ofRequest, ...ofUser, ...ofGroup])
    for (const reader of Object.values(readers)) await reader[Symbol.asyncDispose]()
  })

  it('have no secret: no SSH key, e-mail address or password of anybody, for whomever', async () => {
    const ada = await people.aPerson()
    const auth = path(routes.userChangeAuth, { id: ada.id })
    const secrets = { email: 'ada@example.org', password: 'a bicycle on the roof' }
    await world.ask(ada.token, 'POST', auth, { body: secrets })
    const key = 'ssh-ed25519 AAAA ada'
    await world.ask(ada.token, 'POST', routes.addAuthToken, { body: { auth_token: key } })
    await using reader = await readEvents(world, { token: world.operator })
    await reader.take(1)
    const body = { description: 'changed' }
    await world.ask(ada.token, 'PATCH', ada.uri, { body })
    const [event] = await reader.take(1)
    expect(event?.data.object).toMatchObject({ id: ada.id, description: 'changed' })
    expect(Object.keys(event?.data.object ?? {})).toEqual(
      expect.not.arrayContaining(['email', 'auth_tokens', 'has_password', 'password']),
    )
  })

  it('come for a new member from the moment of it, and no more from the moment of the end', async () => {
    const [ada, bob, eve] = [await people.aPerson(), await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada)
    await using reader = await readEvents(world, { token: bob.token })
    await reader.take(1)
    const first = await askToJoin(group, eve)
    await world.ask(eve.token, 'DELETE', path(routes.request, { id: first.id }))
    await people.join(group, bob, ada, { is_group_admin: true })
    const second = await askToJoin(group, eve)
    const told = await untilMark(reader)
    expect(told.filter((one) => one.startsWith(`request ${first.id} `))).toEqual([])
    expect(told).toContain(`request ${second.id} created`)
    expect(told).toContain(`user ${bob.id} updated`)
  })

  it('tell of each change of what they show: members, nodes, slices and what these take', async () => {
    const [ada, bob] = [await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada, { allow_nodes: true, allow_slices: true })
    await using reader = await readEvents(world, { token: world.operator })
    await reader.take(1)
    const updated = `group ${group.id} updated`
    const tell = async (work: () => Promise<unknown>) => {
      await work()
      const told = await untilMark(reader)
      expect(told).toContain(updated)
      return told
    }
    const body = { name: people.aName(), template: 'tiny', nodes: ['n1'], group: group.name }
    const of = (changes: object) => ({ body: { ...body, ...changes } })
    const ensure = (changes: object) => world.ask(ada.token, 'PUT', routes.sliceEnsure, of(changes))
    await tell(() => ensure({}))
    const more = { resources: [{ name: 'memory', req: 100 }], may_lose: 'slivers' }
    await tell(() => ensure(more))
    const shown = (await world.ask(null, 'GET', group.uri)).json<Group>()
    expect(shown.usage).toMatchObject({ slices: 1, slivers: 1, memory_mib: 100 })
    const slice = path(routes.slice, { id: shown.slices[0]?.id ?? -1 })
    await tell(() => world.ask(ada.token, 'DELETE', slice))
    const node = { name: people.aName(), group: { id: group.id } }
    await tell(() => world.ask(ada.token, 'POST', routes.nodes, { body: node }))
    const [added] = (await world.ask(null, 'GET', group.uri)).json<Group>().nodes
    await tell(() => world.ask(ada.token, 'DELETE', added?.uri ?? ''))
    expect(await tell(() => people.join(group, bob, ada))).toContain(`user ${bob.id} updated`)
    const gone = await tell(() => world.ask(world.operator, 'DELETE', bob.uri))
    expect(gone).toContain(`user ${bob.id} deleted`)
    expect(gone.some((one) => /^request \d+ deleted$/u.test(one))).toBe(true)
  })
})
