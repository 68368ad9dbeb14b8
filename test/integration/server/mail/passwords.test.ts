import {
  acceptOf,
  path,
  routes,
  type Invitation,
  type InvitationRedeemed,
  type User,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tidy } from '../../../../server/src/registry/tidy.ts'
import { eventually } from '../../../support/eventually.ts'
import { startSmtp, type Smtp, type TakenMail } from '../../../support/smtp.ts'
import { password, passwordsOf, type From, type Passwords } from '../access/passwords.ts'
import { answerOf, peopleOf, type People, type Person } from '../access/people.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { smtpAt } from './smtp-at.ts'

const site = 'https://lab.example/testbed'
const next = 'another bicycle there'
const headers = { accept: acceptOf() }

let testbeds: Testbeds
let smtp: Smtp
let world: TestbedWorld
let people: People
let passwords: Passwords
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  smtp = await startSmtp()
  world = await testbeds.start({ publicUrl: site, smtp: smtpAt(smtp.port) })
  people = peopleOf(world)
  passwords = passwordsOf(world, people)
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await smtp[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})
let asked = 0
beforeEach(() => void (asked += 1))

/** A user with an e-mail address, and perhaps with the password. */
async function withAddress(person: Person): Promise<Person & { readonly email: string }> {
  const email = `${person.name}@lab.example`
  await sql`update users set email = ${email} where id = ${person.id}`.execute(world.database.db)
  return { ...person, email }
}
const mailsTo = (email: string) => smtp.mails.filter(({ recipients }) => recipients.includes(email))
const mailTo = (email: string, nr = 0): Promise<TakenMail> =>
  eventually(() => {
    const mail = mailsTo(email)[nr]
    if (mail === undefined) throw new Error(`no mail ${nr} to ${email}`)
    return mail
  })
const secretIn = ({ parsed: { text = '' } }: TakenMail): string =>
  /\/set-password#(cli_[\w-]+)\n/u.exec(text)?.[1] ?? ''
const invite = async ({ id }: Person, body: object = {}) =>
  (
    await world.ask(world.operator, 'POST', path(routes.userInvite, { id }), { body })
  ).json<Invitation>()
// Each test asks from addresses of its own, because they are limited.
const reset = (username: string, from: From = {}) =>
  passwords.post(
    routes.resetPassword,
    { username },
    { at: `198.51.100.${asked}`, headers, ...from },
  )
const redeem = (secret: string, given = password) =>
  passwords.post(routes.redeemInvitation, { secret, password: given }, { headers })
const whoami = (token: string) => world.ask(token, 'GET', routes.whoami)

describe('an invitation by e-mail', () => {
  it('is seen by the user alone: not by the operator, nor in the database, the log, events or the audit trail', async () => {
    const ada = await withAddress(await people.aPerson())
    const { id, name } = ada
    const { secret: none, sent_to: sentTo } = await invite(ada)
    expect([none, sentTo]).toEqual([undefined, ada.email])
    const mail = await mailTo(ada.email)
    const secret = secretIn(mail)
    expect(secret).toMatch(/^cli_/u)
    expect(mail.parsed.html).toContain(`<a href="${site}/set-password#${secret}">`)
    await eventually(async () => {
      const { rows } = await sql<{ all: string }>`
        select (select string_agg(t::text, '') from mails t) || (select string_agg(t::text, '') from audit t)
          || (select string_agg(t::text, '') from invitations t)
          || (select string_agg(t::text, '') from events t) as all`.execute(world.database.db)
      expect(rows[0]?.all).not.toContain(secret)
    })
    expect(world.log.join('')).not.toContain(secret)
    const redeemed = (await redeem(secret)).json<InvitationRedeemed>()
    expect(redeemed).toMatchObject({ user: { id }, name })
  })

  it('is handed over where the user has no address, and where the operator wants to', async () => {
    const [bob, ada] = [await people.aPerson(), await withAddress(await people.aPerson())]
    for (const handed of [await invite(bob), await invite(ada, { hand_over: true })]) {
      expect(handed.sent_to).toBeUndefined()
      expect((await redeem(handed.secret ?? '')).statusCode).toBe(200)
    }
    expect(mailsTo(ada.email)).toEqual([])
  })
})

describe('who has forgotten the password', () => {
  it('sets another one by e-mail, once; all log-ins of before end, and the audit trail tells', async () => {
    const ada = await withAddress(await passwords.withPassword())
    const before = await passwords.tokenOf(ada.name)
    expect((await reset(ada.email.toUpperCase())).statusCode).toBe(202)
    const secret = secretIn(await mailTo(ada.email))
    const both = await Promise.all([redeem(secret, next), redeem(secret, next)])
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([200, 400])
    expect((await whoami(before)).statusCode).toBe(401)
    const logIn = await passwords.post(routes.getAuthToken, { username: ada.name, password: next })
    expect(logIn.statusCode).toBe(200)
    const { rows } = await sql<{ right: string; user_name: string | null }>`
      select "right", user_name from audit where kind = 'user' and object_id = ${String(ada.id)} order by id`.execute(
      world.database.db,
    )
    expect(rows.slice(-2)).toEqual([
      { right: 'send a password reset', user_name: null },
      { right: 'reset a password', user_name: ada.name },
    ])
    const notice = await mailTo(ada.email, 1)
    expect(notice.parsed.text).toContain(`The password of user ${ada.name} at ${site} was changed`)
  })

  it('leaves nothing in the database when the time of the link is over', async () => {
    const { id, name } = await withAddress(await people.aPerson())
    const { db } = world.database
    const secrets = () =>
      db.selectFrom('invitations').select('id').where('user_id', '=', id).execute()
    for (let hour = 0; hour < 3; hour++) {
      await reset(name)
      await eventually(async () => expect(await secrets()).toHaveLength(1))
      await sql`update invitations set expires_on = now() - interval '1 s' where user_id = ${id}`.execute(
        db,
      )
      const onError = (error: unknown) => {
        throw error
      }
      await tidy(world.context.registry, onError)
      expect(await secrets()).toEqual([])
    }
  })

  it('gets the same answer whoever was asked for, and nobody else gets a mail', async () => {
    const known = await withAddress(await people.aPerson())
    const disabled = await withAddress(await people.aPerson())
    await world.ask(world.operator, 'PATCH', disabled.uri, { body: { is_active: false } })
    const silent = await people.aPerson()
    const answers = []
    for (const name of [known.name, disabled.name, disabled.email, silent.name, 'nobody'])
      answers.push(await reset(name))
    expect(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`)).size).toBe(1)
    await mailTo(known.email)
    // Mails are sent one after the other, so a mail to them would have come before this one.
    await reset(known.name)
    await mailTo(known.email, 1)
    expect(mailsTo(disabled.email)).toEqual([])
  })

  it('is answered before anybody looks whether there is such a user', async () => {
    const ada = await withAddress(await people.aPerson())
    await world.database.db.transaction().execute(async (tx) => {
      await sql`lock table users in access exclusive mode`.execute(tx)
      expect((await reset(ada.name)).statusCode).toBe(202)
    })
    await mailTo(ada.email)
  })

  it('gets links to the configured URL, whatever the request says of its host', async () => {
    const ada = await withAddress(await people.aPerson())
    const poisoned = {
      ...headers,
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-prefix': '/evil',
      forwarded: 'host=evil.example',
    }
    expect((await reset(ada.name, { headers: poisoned })).statusCode).toBe(202)
    expect((await reset(ada.name, { at: '', headers: poisoned })).statusCode).toBe(202)
    for (const { source, parsed } of [await mailTo(ada.email), await mailTo(ada.email, 1)]) {
      expect(source).not.toContain('evil')
      expect(parsed.text).toContain(`${site}/set-password#cli_`)
    }
  })

  it('gets three mails within an hour at most, whose links all work until one is used', async () => {
    const ada = await withAddress(await people.aPerson())
    for (let times = 0; times < 5; times++) await reset(ada.name)
    const first = secretIn(await mailTo(ada.email))
    await mailTo(ada.email, 2)
    expect((await redeem(first)).statusCode).toBe(200)
    for (const mail of mailsTo(ada.email).slice(1))
      expect(await answerOf(redeem(secretIn(mail)))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
    await reset(ada.name)
    await mailTo(ada.email, 3)
    expect(mailsTo(ada.email)).toHaveLength(4)
  })

  it('gets ten mails within a day at most, whoever asks', async () => {
    const ada = await withAddress(await people.aPerson())
    const bob = await withAddress(await people.aPerson())
    await sql`
      insert into mails (kind, user_id, recipient, message_id, created_on, ends_on)
      select 'reset', ${ada.id}, 'x', ${ada.name} || n, now() - interval '2 hours', now()
      from generate_series(1, 10) n`.execute(world.database.db)
    expect((await reset(ada.name)).statusCode).toBe(202)
    await reset(bob.name)
    await mailTo(bob.email)
    expect(mailsTo(ada.email)).toEqual([])
  })

  it('cannot ask for one user again and again, from wherever', async () => {
    for (let times = 0; times < 10; times++)
      expect((await reset('nobody-here', { at: `203.0.113.${times}` })).statusCode).toBe(202)
    expect(await answerOf(reset('nobody-here', { at: '203.0.113.78' }))).toEqual([
      429,
      'LAB_AUTH_TOO_MANY_ATTEMPTS',
    ])
  })

  it('has an hour for it', async () => {
    const ada = await withAddress(await people.aPerson())
    await reset(ada.name)
    const secret = secretIn(await mailTo(ada.email))
    const { rows } = await sql<{ minutes: number }>`
      select round(extract(epoch from expires_on - now()) / 60)::int as minutes
      from invitations where user_id = ${ada.id}`.execute(world.database.db)
    expect(rows).toEqual([{ minutes: 60 }])
    await sql`update invitations set expires_on = now() where user_id = ${ada.id}`.execute(
      world.database.db,
    )
    expect(await answerOf(redeem(secret))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
  })
})

describe('a new e-mail address', () => {
  const secretOf = ({ parsed: { text = '' } }: TakenMail): string =>
    /\/confirm-email#(cli_[\w-]+)\n/u.exec(text)?.[1] ?? ''
  const confirm = (secret: string) => passwords.post(routes.confirmEmail, { secret }, { headers })
  const emailOf = async ({ token, uri }: Person) =>
    (await world.ask(token, 'GET', uri)).json<User>().email

  it('becomes a user’s when they have read a mail to it; the address of before is told, and its links are worth nothing any more', async () => {
    const ada = await withAddress(await passwords.withPassword())
    await reset(ada.name)
    const old = secretIn(await mailTo(ada.email))
    const email = `new-${ada.email}`
    const asked = await passwords.changeAuth(ada, { email, current_password: password })
    expect(asked.json()).toMatchObject({ unconfirmed_email: email })
    expect(await emailOf(ada)).toBe(ada.email)
    const secret = secretOf(await mailTo(email))
    expect(await answerOf(redeem(secret))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
    expect((await confirm(secret)).json()).toMatchObject({ name: ada.name, email })
    expect(await answerOf(confirm(secret))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
    expect(await emailOf(ada)).toBe(email)
    const { parsed } = await mailTo(ada.email, 1)
    expect(parsed.text).toContain('The e-mail address of user')
    expect(await answerOf(redeem(old))).toEqual([400, 'LAB_AUTH_INVITATION_REFUSED'])
  })

  it('that is another’s is answered as any other: the mail alone tells, and nobody else’s address changes', async () => {
    const [ada, bob] = [await withAddress(await people.aPerson()), await people.aPerson()]
    const ask = async (email: string) => {
      const { statusCode, body } = await passwords.changeAuth(bob, { email })
      return `${statusCode} ${body.replaceAll(email, 'address')}`
    }
    // Users find their address in any case, and so do others.
    const taken = await ask(ada.email.replace('name', 'Name'))
    const { parsed } = await mailTo(ada.email.replace('name', 'Name'))
    expect(await ask(`free-${ada.email}`)).toBe(taken)
    expect(parsed.text).toContain(`user ${bob.name} of the testbed`)
    expect(parsed.text).not.toContain('cli_')
    expect(await emailOf(bob)).toBeNull()
  })

  it('is set by operators at once', async () => {
    const ada = await people.aPerson()
    const email = `${ada.name}@other.example`
    const set = await passwords.changeAuth({ ...ada, token: world.operator }, { email })
    expect(set.statusCode).toBe(200)
    expect(await emailOf(ada)).toBe(email)
  })
})

it('the page of the link runs its own script alone, and sends its secret to nobody else', async () => {
  const page = await world.app.inject({ url: '/set-password' })
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'referrer-policy': 'no-referrer',
    'content-security-policy': expect.stringContaining("script-src 'self'") as string,
  })
  expect(page.body.match(/<script[^>]*>[^<]*/gu)).toEqual(['<script src="one-time-secret.js">'])
  const script = await world.app.inject({ url: '/one-time-secret.js' })
  expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8')
})

it('a page of the configured URL may set a password, also behind a proxy that has another Host', async () => {
  const ada = await people.aPerson()
  const { secret = '' } = await invite(ada)
  const from = { ...headers, host: '[::1]:8443' }
  const send = (origin: string) =>
    passwords.post(routes.redeemInvitation, { secret, password }, { headers: { ...from, origin } })
  expect(await answerOf(send('https://evil.example'))).toEqual([403, 'LAB_AUTH_FOREIGN_ORIGIN'])
  expect((await send(new URL(site).origin)).statusCode).toBe(200)
})

it('a testbed without an SMTP server says that it sends no mail, whoever is asked for', async () => {
  await using own = await testbeds.start()
  for (const username of ['red', 'nobody']) {
    const answer = own.ask(null, 'POST', routes.resetPassword, { body: { username } })
    expect(await answerOf(answer)).toEqual([409, 'LAB_MAIL_NOT_CONFIGURED'])
  }
})
