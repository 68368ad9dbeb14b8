import { path, routes, type LoggedIn } from '@community-lab/contract'
import type { LightMyRequestResponse } from 'fastify'
import { expect } from 'vitest'
import type { TestbedWorld } from '../world/testbed.ts'
import type { People, Person } from './people.ts'

/** The password of everybody in these tests. */
export const password = 'a bicycle on the roof'

/** Where a request comes from, and its headers. */
export interface From {
  readonly at?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Requests of people with passwords. */
export interface Passwords {
  /** Ask from an address of its own, so that the tests do not share limits. */
  post(url: string, payload: object | string, from?: From): Promise<LightMyRequestResponse>
  /** Make a user with the password. */
  withPassword(): Promise<Person>
  changeAuth(person: Person, body: object): Promise<LightMyRequestResponse>
  /** Log in as CONFINE's clients do. Returns the token. */
  tokenOf(username: string, from?: From): Promise<string>
}

/** Make them for a world. */
export function passwordsOf(world: TestbedWorld, people: People): Passwords {
  const made: Passwords = {
    post: (url, payload, { at = '192.0.2.1', headers = {} } = {}) =>
      world.app.inject({ method: 'POST', url, payload, remoteAddress: at, headers }),
    changeAuth: ({ id, token }, body) =>
      world.ask(token, 'POST', path(routes.userChangeAuth, { id }), { body }),
    async withPassword() {
      const person = await people.aPerson()
      const set = await made.changeAuth(person, { password })
      expect(set.json()).toEqual({ detail: 'User password changed successfully', tokens_left: 1 })
      return person
    },
    async tokenOf(username, from) {
      const answer = await made.post(routes.getAuthToken, { username, password }, from)
      return answer.json<LoggedIn>().token
    },
  }
  return made
}
