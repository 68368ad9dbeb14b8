import { path, routes, type Invitation, type LoggedIn, type User } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { unsubscribeUrl } from '../../server/src/mail/unsubscribe.ts'
import {
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../integration/server/world/testbed.ts'
import { startBrowser, type TestBrowser } from './world/browser.ts'

let testbeds: Testbeds
let world: TestbedWorld
let browser: TestBrowser
let url: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  url = await world.app.listen({ host: '127.0.0.1', port: 0 })
  browser = await startBrowser()
})
afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

const password = 'a bicycle on the roof'

it('the link of an invitation leads to a page that sets the password, and keeps the secret out of the address', async () => {
  const invited = await world.ask(world.operator, 'POST', path(routes.userInvite, { id: 2 }))
  const { secret } = invited.json<Invitation>()
  const page = await browser.open(`${url}/set-password#${secret ?? ''}`)
  expect(page.url()).toBe(`${url}/set-password`)
  const set = async (first: string, again = first) => {
    await page.getByLabel('New password').fill(first)
    await page.getByLabel('The same again').fill(again)
    await page.getByRole('button').click()
  }
  await set(password, 'another')
  await page.getByText('The two passwords are not the same.').waitFor()
  await set('short')
  await page.getByText('It was not done: the password cannot be taken').waitFor()
  await set(password)
  await page.getByText('User red has this password now.').waitFor()
  const body = { username: 'red', password }
  const { token } = (await world.ask(null, 'POST', routes.getAuthToken, { body })).json<LoggedIn>()
  const who = await world.ask(token, 'GET', routes.whoami)
  expect(who.json<{ user: User }>().user.name).toBe('red')
  await page.reload()
  await page.getByText('This page needs the whole link').waitFor()
  expect(browser.complaints).toEqual([])
  expect(browser.foreignRequests).toEqual([])
})

it('the link of a digest leads to a page whose button ends the mails, also for who is logged in there', async () => {
  await sql`update users set unsubscribe_key = 'key' where id = 3`.execute(world.database.db)
  const subscription = { userId: 3, kind: 'slice_end', key: 'key' } as const
  const page = await browser.open(`${url}/set-password`)
  await world.ask(world.operator, 'POST', path(routes.userChangeAuth, { id: 3 }), {
    body: { password },
  })
  await page.evaluate(
    async ([at, body]) =>
      fetch(at, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    [routes.logIn, JSON.stringify({ username: 'blue', password })] as const,
  )
  await page.goto(unsubscribeUrl(url, subscription))
  await page.getByText('End these e-mails: Slices that end soon?').waitFor()
  await page.getByRole('button').click()
  await page.getByText('You get no more of these e-mails.').waitFor()
  const user = (await world.ask(world.blue, 'GET', path(routes.user, { id: 3 }))).json<User>()
  expect(user.notifications).toMatchObject({ slice_end: false, node_safe: true })
})
