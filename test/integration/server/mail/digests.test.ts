import { path, routes, type GroupRequest, type Slice, type User } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sendDueDigests } from '../../../../server/src/registry/write/digests.ts'
import { startSmtp } from '../../../support/smtp.ts'
import { answerOf, peopleOf, type People, type Person } from '../access/people.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { smtpAt } from './smtp-at.ts'

const site = 'https://lab.example/testbed'
const dayMs = 86_400_000
const hourMs = 3_600_000

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

/** A mail of the outbox. */
interface Waiting {
  readonly recipient: string
  readonly subject: string
  readonly body: string
}

/** What was sent at a time of the test's clock. Nothing sends it, so it stays in the outbox, from which this takes it. */
async function digestsAt(world: TestbedWorld, now: Date): Promise<readonly Waiting[]> {
  const onError = (error: unknown) => {
    throw error
  }
  const mail = { site, domain: 'lab.example' }
  await sendDueDigests(world.context.registry, { mail, onError, now })
  const { rows } = await sql<Waiting>`
    with taken as (delete from mails returning recipient, subject, body, id)
    select recipient, subject, body from taken order by recipient`.execute(world.database.db)
  return rows
}

async function giveAddress(world: TestbedWorld, name: string): Promise<void> {
  await sql`update users set email = ${`${name}@lab.example`} where name = ${name}`.execute(
    world.database.db,
  )
}

describe('the digest of a day', () => {
  let world: TestbedWorld
  let people: People
  // Seven in the morning: digests are due.
  const start = new Date(Math.ceil(Date.now() / dayMs) * dayMs + 7 * hourMs)
  const at = (days: number, hours = 0) => new Date(start.getTime() + days * dayMs + hours * hourMs)
  beforeEach(async () => {
    world = await testbeds.start()
    people = peopleOf(world)
    return () => world[Symbol.asyncDispose]()
  })
  const db = () => world.database.db
  const anAdmin = async (): Promise<Person> => {
    const person = await people.aPerson()
    await giveAddress(world, person.name)
    return person
  }
  const aSlice = async (expiresOn: Date): Promise<Slice> => {
    const body = { name: people.aName() }
    const slice = (await world.ask(world.red, 'POST', routes.slices, { body })).json<Slice>()
    await sql`update slices set expires_on = ${expiresOn} where id = ${slice.id}`.execute(db())
    return slice
  }

  it('tells who may renew a slice at least 4 days and 1 day before its end, each once', async () => {
    await giveAddress(world, 'red')
    await giveAddress(world, 'blue')
    const slice = await aSlice(at(10, 5))
    const told: number[] = []
    for (let day = 0; day < 12; day++) {
      // The server may be started again and again on a day.
      for (const hour of [0, 1, 9])
        for (const { recipient, body } of await digestsAt(world, at(day, hour))) {
          expect(recipient).toBe('red@lab.example')
          expect(body).toContain(`slice ${slice.name} of group red ends on `)
          expect(body).toContain(' UTC; ')
          expect(body).toContain(`community-lab slice renew ${slice.name}`)
          told.push(day)
        }
    }
    expect(told).toEqual([6, 9])
  })

  it('tells it again after a renewal, when the new end is near', async () => {
    await giveAddress(world, 'red')
    const { id } = await aSlice(at(2))
    expect(await digestsAt(world, at(0))).toHaveLength(1)
    await sql`update slices set expires_on = ${at(30)} where id = ${id}`.execute(db())
    expect(await digestsAt(world, at(1))).toEqual([])
    expect(await digestsAt(world, at(26))).toHaveLength(1)
  })

  it('tells the admins of a node that is offline for 5 days, or was left in safe for 3, and again when it comes back to that', async () => {
    await giveAddress(world, 'operator')
    const put = (id: number, state: string, since: Date) =>
      sql`update nodes set state = ${state}, state_changed_on = ${since} where id = ${id}`.execute(
        db(),
      )
    const asked = { state: 'production' }
    await put(1, 'offline', at(0))
    await sql`update nodes set set_state = 'safe' where id = 2`.execute(db())
    await put(2, 'safe', at(0, 1))
    const days: (readonly [number, string])[] = []
    for (let day = 0; day < 14; day++) {
      if (day === 7) await put(1, asked.state, at(7))
      if (day === 8) await put(1, 'offline', at(8))
      for (const { subject } of await digestsAt(world, at(day, 2))) days.push([day, subject])
    }
    const offline = 'Community-Lab: nodes that are offline (1)'
    expect(days).toEqual([
      [3, 'Community-Lab: nodes that were left in safe, where slivers do not run (1)'],
      [5, offline],
      [13, offline],
    ])
  })

  it('tells of a request those who may decide it, until they are asked no more', async () => {
    const [admin, member, other] = [await anAdmin(), await anAdmin(), await anAdmin()]
    await giveAddress(world, 'operator')
    const group = await people.aGroup(admin)
    await people.join(group, member, admin)
    const ask = async (person: Person, kind: string) => {
      const body = { kind, group: { id: group.id } }
      return (await world.ask(person.token, 'POST', routes.requests, { body })).json<GroupRequest>()
    }
    const join = await ask(other, 'join')
    await ask(admin, 'allow_nodes')
    const told = await digestsAt(world, at(0))
    expect(told.map(({ recipient }) => recipient)).toEqual([
      `${admin.name}@lab.example`,
      'operator@lab.example',
    ])
    expect(told[0]?.body).toContain(`request ${join.id} of ${other.name} since `)
    expect(told[1]?.body).toContain(`to allow group ${group.name} nodes`)
    expect(await digestsAt(world, at(1))).toEqual([])
  })

  it('is one mail of all that is new', async () => {
    await giveAddress(world, 'red')
    const slices = [await aSlice(at(2)), await aSlice(at(3))]
    const other = await people.aPerson()
    await world.ask(other.token, 'POST', routes.requests, {
      body: { kind: 'join', group: { id: 2 } },
    })
    const [digest, ...more] = await digestsAt(world, at(0))
    expect(more).toEqual([])
    expect(digest?.subject).toBe(
      'Community-Lab: slices that end soon (2), requests that wait for your answer (1)',
    )
    for (const { name } of slices) expect(digest?.body).toContain(`- slice ${name} of group red`)
  })

  it('is for users who want it: by kind, active, and with an address', async () => {
    await giveAddress(world, 'red')
    await aSlice(at(4))
    const red = path(routes.user, { id: 2 })
    const set = (token: string, body: object) => world.ask(token, 'PATCH', red, { body })
    expect(await answerOf(set(world.blue, { notifications: { slice_end: false } }))).toEqual([
      403,
      'LAB_AUTH_FORBIDDEN',
    ])
    const changed = await set(world.red, { notifications: { slice_end: false } })
    expect(changed.json<User>().notifications).toEqual({
      slice_end: false,
      node_offline: true,
      node_safe: true,
      request_waiting: true,
      image_broken: true,
    })
    expect((await world.ask(world.blue, 'GET', red)).json()).not.toHaveProperty('notifications')
    expect(await digestsAt(world, at(0))).toEqual([])
    await set(world.red, { notifications: { slice_end: true } })
    await set(world.operator, { is_active: false })
    expect(await digestsAt(world, at(1))).toEqual([])
    await set(world.operator, { is_active: true })
    expect(await digestsAt(world, at(1, 1))).toEqual([])
    expect(await digestsAt(world, at(2))).toHaveLength(1)
  })

  it('is sent whatever nodes say of images: what they say is cut, and not what is told', async () => {
    await giveAddress(world, 'red')
    const { id: red } = await db()
      .selectFrom('groups')
      .select('id')
      .where('name', '=', 'red')
      .executeTakeFirstOrThrow()
    await sql`insert into templates (name, description, group_id, type, node_archs, is_active)
      select 'own' || n, '', ${red}, type, node_archs, true from templates, generate_series(1, 30) as n where name = 'tiny'`.execute(
      db(),
    )
    await sql`insert into template_versions (template_id, version, image_sha256, image_size_bytes, is_public)
      select id, 1, repeat('a', 64), 1, false from templates where group_id = ${red}`.execute(db())
    await sql`insert into broken_images (template_id, version, node_id, message)
      select templates.id, 1, nodes.id, repeat('"', 500) from templates, nodes where templates.group_id = ${red}`.execute(
      db(),
    )
    const [mail] = await digestsAt(world, at(0))
    expect(mail?.body.match(/^- the image own\d+@1 /gmu)).toHaveLength(30)
  })
})

describe('the links of a digest', () => {
  it('end notifications by one POST without a log-in; opening them ends nothing', async () => {
    await using smtp = await startSmtp()
    await using world = await testbeds.start({ publicUrl: site, smtp: smtpAt(smtp.port) })
    await giveAddress(world, 'red')
    const body = { name: 'mine' }
    const slice = (await world.ask(world.red, 'POST', routes.slices, { body })).json<Slice>()
    // Due at once: the mail is sent by the real clock.
    const soon = new Date(Date.now() + 2 * dayMs)
    await sql`update slices set expires_on = ${soon} where id = ${slice.id}`.execute(
      world.database.db,
    )
    await sql`update counters set value = 0 where name = 'digest'`.execute(world.database.db)
    const mail = { site, domain: 'lab.example' }
    const onError = (error: unknown) => {
      throw error
    }
    await sendDueDigests(world.context.registry, { mail, onError })
    const { parsed } = await smtp.take(1)
    const header = (key: string) => parsed.headers.find((each) => each.key === key)?.value
    expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click')
    const all = /^<(.*)>$/u.exec(header('list-unsubscribe') ?? '')?.[1] ?? ''
    const one = /https:\S+\/unsubscribe\/2\/slice_end\/\S+/u.exec(parsed.text ?? '')?.[0] ?? ''
    const to = (url: string) => url.replace(site, '')
    const wants = async () =>
      (await world.ask(world.red, 'GET', path(routes.user, { id: 2 }))).json<User>().notifications
    const post = (url: string, headers = {}) =>
      world.app.inject({
        method: 'POST',
        url,
        payload: 'List-Unsubscribe=One-Click',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      })
    const page = await world.app.inject({ url: to(one) })
    expect(page.body).toContain('<form method="post">')
    expect(await wants()).toMatchObject({ slice_end: true })
    const wrong = to(one).replace('slice_end', 'node_safe')
    for (const url of [wrong, to(one).replace('/2/', '/3/'), `${to(one)}x`])
      expect((await post(url)).statusCode).toBe(404)
    // A form of the page says its origin, and the browser may be in a session.
    const browser = { origin: new URL(site).origin, cookie: 'community_lab=x' }
    expect((await post(to(one), browser)).statusCode).toBe(200)
    expect(await wants()).toMatchObject({ slice_end: false, node_safe: true })
    expect((await post(to(all))).statusCode).toBe(200)
    expect(await wants()).toMatchObject({ node_safe: false, request_waiting: false })
    const { rows } = await sql`
      select user_name, "right" from audit where "right" = 'unsubscribe'`.execute(world.database.db)
    expect(rows).toEqual([
      { user_name: 'red', right: 'unsubscribe' },
      { user_name: 'red', right: 'unsubscribe' },
    ])
  })
})
