import { path, routes, type Group, type GroupRequest, type User } from '@community-lab/contract'
import { expect } from 'vitest'
import { makeToken, type TestbedWorld } from '../world/testbed.ts'

/** A user with a token. */
export interface Person {
  readonly id: number
  readonly name: string
  readonly uri: string
  readonly token: string
}

/** Makes people and groups of a world, each with a name of its own. */
export interface People {
  aName(): string
  aPerson(): Promise<Person>
  /** A group with this admin, and what operators allow it. */
  aGroup(admin: Person, allowed?: object): Promise<Group>
  /** Somebody asks to join a group, and its admin accepts. */
  join(group: Group, person: Person, admin: Person, flags?: object): Promise<void>
}

/** Make the maker. */
export function peopleOf(world: TestbedWorld): People {
  let made = 0
  const aName = () => `name${++made}`
  return {
    aName,
    async aPerson() {
      const name = aName()
      const user = await world.ask(world.operator, 'POST', routes.users, { body: { name } })
      const token = await makeToken(world, world.operator, { name: 'its', user: name })
      return { ...user.json<User>(), token }
    },
    async aGroup(admin, allowed = {}) {
      const body = { name: aName() }
      const group = await world.ask(admin.token, 'POST', routes.groups, { body })
      const { uri } = group.json<Group>()
      return (await world.ask(world.operator, 'PATCH', uri, { body: allowed })).json<Group>()
    },
    async join({ id: groupId }, { token }, admin, flags = {}) {
      const body = { kind: 'join', group: { id: groupId } }
      const asked = await world.ask(token, 'POST', routes.requests, { body })
      const url = path(routes.requestAccept, { id: asked.json<GroupRequest>().id })
      const accepted = await world.ask(admin.token, 'POST', url, { body: flags })
      expect(accepted.json()).toMatchObject({ state: 'accepted', decided_by: { id: admin.id } })
    },
  }
}

/** The status and the code of an answer. */
export async function answerOf(
  asked: ReturnType<TestbedWorld['ask']>,
): Promise<readonly [number, string | undefined]> {
  const { statusCode, body } = await asked
  const { code } = (body === '' ? {} : JSON.parse(body)) as { readonly code?: string }
  return [statusCode, code]
}
