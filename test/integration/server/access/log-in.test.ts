import {
  acceptOf,
  routes,
  type AuditEntry,
  type LoggedIn,
  type SessionBegun,
  type Token,
  type User,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { removeEndedTokens } from '../../../../server/src/registry/write/revoke-tokens.ts'
import { makeToken, type TestbedWorld } from '../world/testbed.ts'
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

const problems = { accept: 'application/problem+json' }
const post: Passwords['post'] = (...args) => passwords.post(...args)
const withPassword = () => passwords.withPassword()
const changeAuth: Passwords['changeAuth'] = (...args) => passwords.changeAuth(...args)
const whoami = (token: string) => world.ask(token, 'GET', routes.whoami)
const tokenOf: Passwords['tokenOf'] = (...args) => passwords.tokenOf(...args)
const tokensOf = async ({ id }: Person) =>
  (await world.ask(world.operator, 'GET', `${routes.tokens}?/user/id=${id}`)).json<Token[]>()

describe('a log-in by password', () => {
  it('gives a token, to JSON and forms alike, by name and by e-mail address', async () => {
    const ada = await withPassword()
    const email = `${ada.name}@Example.org`
    await changeAuth(ada, { email, current_password: password })
    const boundary = '--0123456789abcdef\r\ncontent-disposition: form-data; name='
    const multipart = `${boundary}"username"\r\n\r\n${ada.name}\r\n${boundary}"password"\r\n\r\n${password}\r\n--0123456789abcdef--\r\n`
    const form = new URLSearchParams({ username: ada.name, password }).toString()
    const answers = [
      await post(routes.getAuthToken, { username: ada.name, password }),
      await post(routes.getAuthToken, { username: email.toLowerCase(), password }),
      await post(routes.getAuthToken, form, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
      await post(routes.getAuthToken, multipart, {
        headers: { 'content-type': 'multipart/form-data; boundary=0123456789abcdef' },
      }),
    ]
    for (const answer of answers) {
      expect([answer.statusCode, answer.body]).toEqual([200, answer.body])
      const authorization = `Token ${answer.json<LoggedIn>().token}`
      const who = await world.ask(null, 'GET', routes.whoami, { headers: { authorization } })
      expect(who.json()).toMatchObject({ role: 'researcher', user: { id: ada.id } })
    }
    const made = (await tokensOf(ada)).filter(({ kind }) => kind === 'login')
    expect(made).toHaveLength(4)
    expect(made[0]).toMatchObject({ name: 'log-in', scope: 'all', made_from: '192.0.2.1' })
    const days = (Date.parse(made[0]?.expires_on ?? '') - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(30)
  })

  it('is refused in CONFINE’s words, and in ours to who prefers them', async () => {
    const ada = await withPassword()
    const at = '192.0.2.2'
    const ask = (body: object, headers = {}) => post(routes.getAuthToken, body, { at, headers })
    const wrong = { non_field_errors: ['Unable to login with provided credentials.'] }
    const none = await people.aPerson()
    for (const body of [
      { username: ada.name, password: `${password}!` },
      { username: 'nobody', password },
      { username: none.name, password },
    ]) {
      const answer = await ask(body)
      expect([answer.statusCode, answer.json()]).toEqual([400, wrong])
    }
    expect(Object.keys((await ask({ username: '', password })).json())).toEqual(['username'])
    expect((await ask({})).json()).toEqual({
      username: ['This field is required.'],
      password: ['This field is required.'],
    })
    expect((await ask({ username: 'nobody', password }, problems)).json()).toMatchObject({
      code: 'LAB_AUTH_LOG_IN_FAILED',
    })
    expect((await ask({ username: ada.name }, problems)).json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/password' }] },
    })
    await world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } })
    expect((await ask({ username: ada.name, password })).json()).toEqual({
      non_field_errors: ['User account is disabled.'],
    })
    expect((await ask({ username: ada.name, password: 'guess' })).json()).toEqual(wrong)
  })

  it('gives an operator what operators may, until they are none', async () => {
    const ada = await withPassword()
    const promote = (isSuperuser: boolean) =>
      world.ask(world.operator, 'PATCH', ada.uri, { body: { is_superuser: isSuperuser } })
    await promote(true)
    const token = await tokenOf(ada.name)
    expect((await world.ask(token, 'GET', routes.audit)).statusCode).toBe(200)
    await promote(false)
    expect((await whoami(token)).statusCode).toBe(401)
    const other = await tokenOf(ada.name)
    expect((await world.ask(other, 'GET', routes.audit)).statusCode).toBe(403)
  })

  it('may be made often: of one user twenty are valid, those used last', async () => {
    const ada = await withPassword()
    const first = await tokenOf(ada.name)
    const second = await tokenOf(ada.name)
    for (let made = 2; made < 20; made++) await tokenOf(ada.name)
    expect((await whoami(first)).statusCode).toBe(200)
    await tokenOf(ada.name)
    expect((await whoami(first)).statusCode).toBe(200)
    expect((await whoami(second)).statusCode).toBe(401)
    expect((await tokensOf(ada)).map(({ kind }) => kind)).toHaveLength(21)
  })

  it('is in the audit trail, with who and from where', async () => {
    const ada = await withPassword()
    await tokenOf(ada.name, { at: '2001:db8::7' })
    const url = `${routes.audit}?/right="log in"&/user/id=${ada.id}`
    expect((await world.ask(world.operator, 'GET', url)).json<AuditEntry[]>()).toMatchObject([
      { kind: 'token', action: 'created', user_name: ada.name, address: '2001:db8::7' },
    ])
  })

  it('leaves no password in the database, the answers and the log', async () => {
    const ada = await withPassword()
    await tokenOf(ada.name)
    await post(routes.getAuthToken, { username: ada.name, password: `${password}?` })
    const list = await world.ask(world.operator, 'GET', routes.users)
    expect(list.json<User[]>().find(({ id }) => id === ada.id)).toMatchObject({
      has_password: true,
    })
    const { rows } = await sql<{
      text: string
    }>`select string_agg(u::text, '') as text from users u`.execute(world.database.db)
    const hash = /\$argon2id\$v=19\$m=19456,t=2,p=1\$/u
    expect(rows[0]?.text).toMatch(hash)
    for (const place of [rows[0]?.text ?? '', world.log.join('')])
      expect(place).not.toContain(password)
    for (const place of [list.body, world.log.join('')]) expect(place).not.toMatch(hash)
  })
})

describe('guessing a password', () => {
  const guess = (username: string, at: string) =>
    answerOf(post(routes.getAuthToken, { username, password: 'guess' }, { at, headers: problems }))

  it('ends after ten tries of one user, also of one who does not exist, and also for many at once', async () => {
    const ada = await withPassword()
    for (const username of [ada.name, 'nobody-of-this-name']) {
      const tries = Array.from({ length: 12 }, (_, at) => guess(username, `198.51.100.${at}`))
      const codes = (await Promise.all(tries)).map(([, code]) => code)
      expect(codes.filter((code) => code === 'LAB_AUTH_LOG_IN_FAILED')).toHaveLength(10)
      expect(codes.filter((code) => code === 'LAB_AUTH_TOO_MANY_ATTEMPTS')).toHaveLength(2)
    }
    const refused = await post(routes.getAuthToken, { username: ada.name, password })
    expect(refused.statusCode).toBe(429)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  })

  it('does not lock the user out where they have logged in before, nor their tokens', async () => {
    const ada = await withPassword()
    const home = '203.0.113.5'
    const token = await tokenOf(ada.name, { at: home })
    for (let tries = 0; tries < 11; tries++) await guess(ada.name, '198.51.100.77')
    expect((await post(routes.getAuthToken, { username: ada.name, password })).statusCode).toBe(429)
    expect((await whoami(token)).statusCode).toBe(200)
    expect((await whoami(await tokenOf(ada.name, { at: home }))).statusCode).toBe(200)
    for (let tries = 0; tries < 10; tries++) await guess(ada.name, home)
    expect(await guess(ada.name, home)).toEqual([429, 'LAB_AUTH_TOO_MANY_ATTEMPTS'])
  })
})

describe('a password', () => {
  it('is changed by who knows it, and ends log-ins and sessions but the one that asks', async () => {
    const ada = await withPassword()
    const [login, asking] = [await tokenOf(ada.name), await tokenOf(ada.name)]
    const change = (body: object) => changeAuth({ ...ada, token: asking }, body)
    const next = 'another bicycle there'
    expect(await answerOf(change({ password: next }))).toEqual([400, 'LAB_AUTH_LOG_IN_FAILED'])
    expect(await answerOf(change({ email: 'thief@example.org' }))).toEqual([
      400,
      'LAB_AUTH_LOG_IN_FAILED',
    ])
    const changed = await change({ password: next, current_password: password })
    expect(changed.json()).toMatchObject({ tokens_left: 1 })
    const alive = await Promise.all([login, asking, ada.token].map(whoami))
    expect(alive.map(({ statusCode }) => statusCode)).toEqual([401, 200, 200])
    await change({ password, current_password: next, end_tokens: true })
    expect((await whoami(ada.token)).statusCode).toBe(401)
    expect((await whoami(asking)).statusCode).toBe(200)
  })

  it('is set by operators for others, and never shown with the e-mail address to anybody else', async () => {
    const [ada, bob] = [await people.aPerson(), await people.aPerson()]
    const email = `${ada.name}@example.org`
    const set = await changeAuth({ ...ada, token: world.operator }, { password, email })
    expect(set.json()).toMatchObject({ detail: 'User password, email changed successfully' })
    const seenBy = async (token: string) => (await world.ask(token, 'GET', ada.uri)).json<User>()
    expect(await seenBy(bob.token)).not.toHaveProperty('email')
    expect(await seenBy(bob.token)).not.toHaveProperty('has_password')
    expect(await seenBy(ada.token)).toMatchObject({ email, has_password: true })
    const filter = `${routes.users}?/email=${encodeURIComponent(JSON.stringify(email))}`
    const found = async (token: string) =>
      (await world.ask(token, 'GET', filter)).json<User[]>().map(({ id }) => id)
    expect([await found(bob.token), await found(ada.token)]).toEqual([[], [ada.id]])
    const taken = changeAuth(bob, { email: email.toUpperCase() })
    expect(await answerOf(taken)).toEqual([409, 'LAB_NAME_TAKEN'])
    expect(await answerOf(changeAuth({ ...ada, token: bob.token }, { email }))).toEqual([
      403,
      'LAB_AUTH_FORBIDDEN',
    ])
  })

  it.each([
    ['is short', 'fourteen chars'],
    ['repeats', 'abababababababab'],
    ['has the user’s name', ''],
  ])('that %s is refused', async (_, weak) => {
    const ada = await people.aPerson()
    const given = weak === '' ? `my name is ${ada.name} indeed` : weak
    expect(await answerOf(changeAuth(ada, { password: given }))).toEqual([
      400,
      'LAB_AUTH_PASSWORD_WEAK',
    ])
  })
})

describe('a page’s session', () => {
  async function begin() {
    const ada = await withPassword()
    const answer = await post(routes.logIn, { username: ada.name, password })
    const cookie = String(answer.headers['set-cookie'])
    const { csrf_token: csrf } = answer.json<SessionBegun>()
    const session = cookie.split(';')[0] ?? ''
    const ask = (method: 'GET' | 'POST', url: string, headers: object = {}) =>
      world.app.inject({
        method,
        url,
        headers: { accept: acceptOf(), cookie: `other=1; ${session}`, ...headers },
      })
    return { ada, cookie, csrf, session, ask }
  }

  it('is in a cookie that no script reads and no foreign form sends', async () => {
    const { ada, cookie, csrf, ask } = await begin()
    expect(cookie).toMatch(
      /^community_lab_\w{8}=cls_[\w-]+; Expires=.+; Path=\/; HttpOnly; SameSite=Lax$/u,
    )
    expect((await ask('GET', routes.whoami)).json()).toMatchObject({
      user: { id: ada.id },
      csrf_token: csrf,
    })
  })

  it('changes something only with the page’s own value', async () => {
    const { csrf, session, ask } = await begin()
    const key = { headers: { 'content-type': 'application/json' } }
    const add = (headers: object) =>
      world.app.inject({
        method: 'POST',
        url: routes.addAuthToken,
        payload: { auth_token: 'ssh-ed25519 AAAA x' },
        headers: { ...key.headers, accept: acceptOf(), cookie: session, ...headers },
      })
    expect(await answerOf(add({}))).toEqual([403, 'LAB_AUTH_CSRF'])
    expect(await answerOf(add({ 'x-csrftoken': 'x'.repeat(43) }))).toEqual([403, 'LAB_AUTH_CSRF'])
    expect((await add({ 'x-csrftoken': csrf })).statusCode).toBe(200)
    const bearer = session.split('=')[1] ?? ''
    expect((await whoami(bearer)).statusCode).toBe(401)
    expect((await ask('GET', routes.whoami)).statusCode).toBe(200)
  })

  it.each([
    [
      'the page logs out',
      async ({ ask, csrf }: Begun) => {
        const out = await ask('POST', routes.logOut, { 'x-csrftoken': csrf })
        expect(String(out.headers['set-cookie'])).toContain('Max-Age=0')
      },
    ],
    [
      'the password is changed elsewhere',
      ({ ada }: Begun) =>
        changeAuth(ada, { password: 'another bicycle there', current_password: password }),
    ],
    [
      'the user is disabled',
      ({ ada }: Begun) =>
        world.ask(world.operator, 'PATCH', ada.uri, { body: { is_active: false } }),
    ],
    [
      'nobody uses it for twelve hours',
      ({ ada }: Begun) =>
        sql`update tokens set created_on = now() - interval '13 hours', last_used_on = now() - interval '12.1 hours'
        where user_id = ${ada.id} and kind = 'session'`.execute(world.database.db),
    ],
    [
      'it is a week old',
      ({ ada }: Begun) =>
        sql`update tokens set expires_on = now() where user_id = ${ada.id} and kind = 'session'`.execute(
          world.database.db,
        ),
    ],
  ])('ends when %s: the page is nobody’s, and may log in again', async (_, end) => {
    const begun = await begin()
    expect((await begun.ask('GET', routes.whoami)).statusCode).toBe(200)
    await end(begun)
    expect((await begun.ask('GET', routes.whoami)).statusCode).toBe(401)
    expect((await begun.ask('GET', routes.nodes)).statusCode).toBe(200)
  })

  type Begun = Awaited<ReturnType<typeof begin>>
})

describe('tokens that ended', () => {
  it('are listed for a month, and then removed', async () => {
    const ada = await people.aPerson()
    await makeToken(world, ada.token, { name: 'old' })
    await makeToken(world, ada.token, { name: 'older' })
    const { db } = world.database
    await sql`update tokens set expires_on = now() - interval '29 days' where name = 'old'`.execute(
      db,
    )
    await sql`update tokens set expires_on = now() - interval '31 days' where name = 'older'`.execute(
      db,
    )
    await removeEndedTokens(db)
    expect((await tokensOf(ada)).map(({ name }) => name)).toEqual(['its', 'old'])
  })
})
