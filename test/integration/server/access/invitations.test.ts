import {
  acceptOf,
  path,
  routes,
  type Invitation,
  type InvitationRedeemed,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import type { TestbedWorld } from '../world/testbed.ts'
import { useTestbed } from './bed.ts'
import { password, passwordsOf, type Passwords } from './passwords.ts'
import { answerOf, type People, type Person } from './people.ts'

let world: TestbedWorld
let people: People
let passwords: Passwords
useTestbed((bed) => {
  world = bed.world
  people = bed.people
  passwords = passwordsOf(world, people)
})

const headers = { accept: acceptOf() }
const whoami = (token: string) => world.ask(token, 'GET', routes.whoami)

describe('an invitation', () => {
  const invite = async ({ id }: Person) => {
    const answer = await world.ask(world.operator, 'POST', path(routes.userInvite, { id }))
    return answer.json<Invitation & { readonly secret: string }>()
  }
  const redeem = (secret: string, given = password) =>
    passwords.post(
      routes.redeemInvitation,
      { secret, password: given },
      { at: '203.0.113.9', headers },
    )

  it('sets a password once, and logs in', async () => {
    const ada = await people.aPerson()
    const { secret, expires_on: ends } = await invite(ada)
    const hours = (Date.parse(ends) - Date.now()) / 3_600_000
    expect(Math.round(hours)).toBe(24)
    expect(await answerOf(redeem(secret, 'short'))).toEqual([400, 'LAB_AUTH_PASSWORD_WEAK'])
    const both = await Promise.all([redeem(secret), redeem(secret)])
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([200, 400])
    const redeemed = both.find(({ statusCode }) => statusCode === 200)?.json<InvitationRedeemed>()
    expect((await whoami(redeemed?.token ?? '')).json()).toMatchObject({ user: { id: ada.id } })
    expect(redeemed).toMatchObject({ name: ada.name, tokens_left: 1 })
    expect((await whoami(await passwords.tokenOf(ada.name))).statusCode).toBe(200)
    expect(await answerOf(redeem(secret))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
    const { rows } = await sql`select from invitations where user_id = ${ada.id}`.execute(
      world.database.db,
    )
    expect(rows).toEqual([])
  })

  it('is the way back for who forgot the password: log-ins end, and guessers do not keep them out', async () => {
    const ada = await passwords.withPassword()
    const before = await passwords.tokenOf(ada.name)
    for (let tries = 0; tries < 11; tries++)
      await passwords.post(
        routes.getAuthToken,
        { username: ada.name, password: 'guess' },
        { at: '198.51.100.9' },
      )
    const next = 'another bicycle there'
    const { secret } = await invite(ada)
    expect((await redeem(secret, next)).statusCode).toBe(200)
    expect((await whoami(before)).statusCode).toBe(401)
    const body = { username: ada.name, password: next }
    expect(
      (await passwords.post(routes.getAuthToken, body, { at: '203.0.113.9' })).statusCode,
    ).toBe(200)
    expect(
      (await passwords.post(routes.getAuthToken, body, { at: '203.0.113.10' })).statusCode,
    ).toBe(429)
  })

  it.each([
    ['a newer one was made', (ada: Person) => invite(ada)],
    [
      'it is a day old',
      () => sql`update invitations set expires_on = now()`.execute(world.database.db),
    ],
    [
      'its user was disabled',
      (ada: Person) => world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } }),
    ],
    ['its user was removed', (ada: Person) => world.ask(world.operator, 'DELETE', ada.uri)],
  ])('is refused when %s', async (_, happen) => {
    const ada = await people.aPerson()
    const { secret } = await invite(ada)
    await happen(ada)
    expect(await answerOf(redeem(secret))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
  })
})
