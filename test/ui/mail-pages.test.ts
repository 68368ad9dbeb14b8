import { path, routes, type Invitation, type LoggedIn, type User } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
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
  await page.getByText('It was not set: the password cannot be taken').waitFor()
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
