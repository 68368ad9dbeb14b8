import {
  LabError,
  path,
  routes,
  type Invitation,
  type LoggedIn,
  type SessionBegun,
} from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createAttempts } from '../../../../server/src/access/attempts.ts'
import { checkPassword } from '../../../../server/src/registry/write/log-in.ts'
import { makeToken, type TestbedWorld } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import { answerOf, type People, type Person } from './people.ts'

let world: TestbedWorld
let people: People
useTestbed((bed) => ({ world, people } = bed))

const password = 'a bicycle on the roof'
const headers = { accept: 'application/problem+json' }

/** Ask from an address of its own, so that the tests do not share limits. */
const post = (url: string, payload: object, remoteAddress: string, more = {}) =>
  world.app.inject({
    method: 'POST',
    url,
    payload,
    remoteAddress,
    headers: { ...headers, ...more },
  })
const changeAuth = ({ id, token }: Person, body: object) =>
  world.ask(token, 'POST', path(routes.userChangeAuth, { id }), { body })
const guess = (username: string, at: string) =>
  post(routes.getAuthToken, { username, password: 'guess' }, at)

async function withPassword(): Promise<Person> {
  const person = await people.aPerson()
  expect((await changeAuth(person, { password })).statusCode).toBe(200)
  return person
}

it('a name that is made to look like another user’s count locks nobody out', async () => {
  const { id, name } = await withPassword()
  const home = '203.0.113.6'
  const logIn = () => post(routes.getAuthToken, { username: name, password }, home)
  expect((await logIn()).json<LoggedIn>().token).toMatch(/^clr_/u)
  for (let tries = 0; tries < 11; tries++) await guess(`#${id} at ${home}`, `198.51.100.${tries}`)
  expect((await logIn()).statusCode).toBe(200)
})

it('strangers who guess lock no user out where their page has logged in and out', async () => {
  const { name } = await withPassword()
  const home = '203.0.113.7'
  const page = () => post(routes.logIn, { username: name, password }, home)
  const begun = await page()
  const cookie = String(begun.headers['set-cookie']).split(';')[0] ?? ''
  const csrf = { cookie, 'x-csrftoken': begun.json<SessionBegun>().csrf_token }
  expect((await post(routes.logOut, {}, home, csrf)).statusCode).toBe(204)
  for (let tries = 0; tries < 10; tries++) await guess(name, '198.51.100.78')
  expect((await page()).statusCode).toBe(200)
})

it('an operator’s first password needs an operator’s token: a researcher’s would become one by logging in', async () => {
  const ada = await people.aPerson()
  await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_superuser: true } })
  for (const body of [{ password }, { email: `${ada.name}@example.org` }])
    expect(await answerOf(changeAuth(ada, body))).toEqual([403, 'LAB_AUTH_FORBIDDEN'])
  const body = { name: 'own', role: 'operator', user: ada.name }
  const token = await makeToken(world, world.operator, body)
  expect((await changeAuth({ ...ada, token }, { password })).statusCode).toBe(200)
})

it('a password that a busy server does not check is no wrong one', async () => {
  const { id } = await withPassword()
  const attempts = createAttempts(() => performance.now())
  const busy = new LabError('LAB_AUTH_TOO_MANY_ATTEMPTS', { of: 'server', retryAfterS: 5 })
  const given = { username: 'ada', password, address: null, user: { id, password: null } }
  const server = { isBusy: true }
  const context = {
    registry: world.context.registry,
    attempts,
    passwords: {
      hash: () => Promise.reject(busy),
      check: () => (server.isBusy ? Promise.reject(busy) : Promise.resolve(true)),
    },
  }
  for (let tries = 0; tries < 11; tries++)
    await expect(checkPassword(context, given)).rejects.toThrow(busy)
  server.isBusy = false
  await expect(checkPassword(context, given)).resolves.toBeUndefined()
})

it('sessions that ended make room before those that go on', async () => {
  const { name } = await withPassword()
  const begin = async () => {
    const begun = await post(routes.logIn, { username: name, password }, '203.0.113.8')
    const cookie = String(begun.headers['set-cookie']).split(';')[0] ?? ''
    return { cookie, 'x-csrftoken': begun.json<SessionBegun>().csrf_token }
  }
  const lasting = await begin()
  for (let times = 0; times < 20; times++)
    await post(routes.logOut, {}, '203.0.113.8', await begin())
  const who = await world.app.inject({ url: routes.whoami, headers: lasting })
  expect(who.statusCode).toBe(200)
})

it('an invitation sets no password after another one was set', async () => {
  const ada = await withPassword()
  const url = path(routes.userInvite, { id: ada.id })
  const { secret } = (await world.ask(world.operator, 'POST', url)).json<
    Invitation & { readonly secret: string }
  >()
  await changeAuth({ ...ada, token: world.operator }, { password: 'another bicycle there' })
  const redeemed = post(routes.redeemInvitation, { secret, password }, '203.0.113.8')
  expect(await answerOf(redeemed)).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
})

it('who is registered is not found out by trying e-mail addresses', async () => {
  const [ada, bob] = [await withPassword(), await people.aPerson()]
  const email = `${ada.name}@example.org`
  const body = { email, current_password: password }
  expect((await changeAuth(ada, body)).statusCode).toBe(200)
  for (let tries = 0; tries < 10; tries++)
    expect(await answerOf(changeAuth(bob, { email }))).toEqual([409, 'LAB_NAME_TAKEN'])
  for (const tried of [email, 'nobody@example.org'])
    expect(await answerOf(changeAuth(bob, { email: tried }))).toEqual([
      429,
      'LAB_AUTH_TOO_MANY_ATTEMPTS',
    ])
})
