import { rm } from 'node:fs/promises'
import { path, routes, type MailStatus } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startSender } from '../../../../server/src/mail/sender.ts'
import { openNotifications } from '../../../../server/src/postgres/notifications.ts'
import { tidy } from '../../../../server/src/registry/tidy.ts'
import { enqueueMail, withdrawMails } from '../../../../server/src/registry/write/mails.ts'
import { eventually } from '../../../support/eventually.ts'
import { makeOrdinaryFolder } from '../../../support/postgres-user.ts'
import { startSmtp, type Smtp } from '../../../support/smtp.ts'
import { answerOf } from '../access/people.ts'
import { startServer } from '../world/process.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { smtpAt } from './smtp-at.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const site = 'https://lab.example/testbed'
const secretText = 'only the recipient may know this'

describe('the outbox', () => {
  let smtp: Smtp
  let world: TestbedWorld
  beforeEach(async () => {
    smtp = await startSmtp()
    world = await testbeds.start({ publicUrl: site, smtp: smtpAt(smtp.port) })
    await sql`update users set email = 'op@lab.example' where id = 1`.execute(world.database.db)
  })
  afterEach(async () => {
    await world[Symbol.asyncDispose]()
    await smtp[Symbol.asyncDispose]()
  })
  const test = () => world.ask(world.operator, 'POST', routes.mailTest)
  const readStatus = async () =>
    (await world.ask(world.operator, 'GET', routes.mail)).json<MailStatus>()
  /** Let mails be due that wait for another attempt. */
  const hurry = () =>
    sql`with hurried as (update mails set next_try_on = now() where next_try_on is not null)
      select pg_notify('community_lab_mail', '')`.execute(world.database.db)
  const aMail = (recipient = 'ada@lab.example') => ({
    kind: 'notice' as const,
    userId: 1,
    recipient,
    subject: 'News',
    text: secretText,
    html: `<p>${secretText}</p>`,
    endsOn: new Date(Date.now() + 3600_000),
  })
  const enqueue = (recipient?: string) =>
    world.context.registry.change((change) =>
      enqueueMail(change, aMail(recipient), { mail: { site, domain: 'lab.example' } }),
    )

  it('sends a mail, and keeps nothing of what it says', async () => {
    await enqueue()
    const { recipients, parsed } = await smtp.take(1)
    expect(recipients).toEqual(['ada@lab.example'])
    expect(parsed).toMatchObject({
      from: { name: 'Testbed', address: 'testbed@lab.example' },
      to: [{ address: 'ada@lab.example' }],
      subject: 'News',
      text: `${secretText}\n`,
    })
    expect(parsed.html).toContain(secretText)
    await eventually(async () => expect(await readStatus()).toMatchObject({ sent_last_day: 1 }))
    const { rows } = await sql<{ all: string }>`
      select string_agg(mails::text, '') as all from mails`.execute(world.database.db)
    expect(rows[0]?.all).toContain('ada@lab.example')
    expect(rows[0]?.all).not.toContain(secretText)
    expect(world.log.join('')).not.toContain(secretText)
  })

  it('takes no mail that is too long, which is another fault than that it is full', async () => {
    const long = world.context.registry.change((change) =>
      enqueueMail(
        change,
        { ...aMail(), text: 'x'.repeat(65_537) },
        { mail: { site, domain: 'lab.example' } },
      ),
    )
    await expect(long).rejects.toThrow('a mail (notice) of 65537 characters')
  })

  it('sends nothing of a change that failed, and nothing that was withdrawn', async () => {
    const failing = world.context.registry.change(async (change) => {
      await enqueueMail(change, aMail('never@lab.example'), {
        mail: { site, domain: 'lab.example' },
      })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await world.context.registry.change(async (change) => {
      const mail = { site, domain: 'lab.example' }
      await enqueueMail(change, aMail('never@lab.example'), { mail })
      await withdrawMails(change, 1, ['notice'])
    })
    await enqueue('ada@lab.example')
    expect((await smtp.take(1)).recipients).toEqual(['ada@lab.example'])
    expect(smtp.mails).toHaveLength(1)
  })

  it('waits for an SMTP server that is away, says so, and sends when it is back', async () => {
    const { port } = smtp
    await smtp[Symbol.asyncDispose]()
    expect((await test()).statusCode).toBe(202)
    const status = await eventually(async () => {
      const found = await readStatus()
      expect(found.troubles).toHaveLength(1)
      return found
    })
    expect(status).toMatchObject({
      smtp: { server: `smtp://127.0.0.1:${port}`, tls: 'none', from: 'testbed@lab.example' },
      waiting: 1,
      sent_last_day: 0,
      troubles: [{ kind: 'test', user: { id: 1 }, attempts: 1, failed_on: null }],
    })
    expect(status.last_failure?.message).toMatch(/ECONNREFUSED/u)
    smtp = await startSmtp(port)
    await hurry()
    const { parsed } = await smtp.take(1)
    expect(parsed.text).toContain(site)
    await eventually(async () =>
      expect(await readStatus()).toMatchObject({ waiting: 0, sent_last_day: 1, troubles: [] }),
    )
  })

  it('tries again where the SMTP server says "later", with the same Message-ID', async () => {
    const seen: string[] = []
    smtp.onMail = ({ parsed }) => {
      seen.push(parsed.messageId ?? '')
      if (seen.length === 1) throw Object.assign(new Error('greylisted'), { responseCode: 451 })
    }
    await enqueue()
    await eventually(async () => {
      const { last_failure: last, waiting } = await readStatus()
      expect([waiting, last?.message]).toEqual([1, '451 greylisted'])
    })
    await hurry()
    await smtp.take(1)
    expect(new Set(seen).size).toBe(1)
    expect(seen).toHaveLength(2)
  })

  it('does not try again where the SMTP server refuses the recipient, and tells operators in its words', async () => {
    smtp.refuseRecipient = (address) =>
      address.startsWith('gone@') ? { responseCode: 550, message: '5.1.1 no such mailbox' } : null
    await enqueue('gone@lab.example')
    await enqueue('ada@lab.example')
    await smtp.take(1)
    await eventually(async () => {
      const status = await readStatus()
      expect(status).toMatchObject({ waiting: 0, failed_last_day: 1, sent_last_day: 1 })
      expect(status.troubles).toMatchObject([
        {
          recipient: 'gone@lab.example',
          attempts: 1,
          next_try_on: null,
          message: '550 5.1.1 no such mailbox',
        },
      ])
    })
    const { rows } =
      await sql`select body, html, subject from mails where failed_on is not null`.execute(
        world.database.db,
      )
    expect(rows).toEqual([{ body: null, html: null, subject: null }])
  })

  it('gives up what is too late, and takes no more than it can keep', async () => {
    await smtp[Symbol.asyncDispose]()
    await sql`insert into mails (kind, recipient, message_id, created_on, ends_on, next_try_on, body)
      select 'notice', 'a@lab.example', nr, now(), now() + interval '1 hour', now() + interval '1 hour', 'x'
      from generate_series(1, 5000) as nr`.execute(world.database.db)
    expect(await enqueue()).toBe(false)
    expect(await answerOf(test())).toEqual([503, 'LAB_MAIL_OUTBOX_FULL'])
    await sql`update mails set ends_on = now()`.execute(world.database.db)
    await hurry()
    await eventually(async () =>
      expect(await readStatus()).toMatchObject({ waiting: 0, failed_last_day: 5000 }),
    )
    smtp = await startSmtp(smtp.port)
  })

  it('is shown to operators alone', async () => {
    expect(await answerOf(world.ask(world.red, 'GET', routes.mail))).toEqual([
      403,
      'LAB_AUTH_FORBIDDEN',
    ])
  })
})

it('a server without an SMTP server says that it sends nothing', async () => {
  await using world = await testbeds.start()
  expect((await world.ask(world.operator, 'GET', routes.mail)).json()).toMatchObject({
    smtp: null,
    waiting: 0,
  })
  expect(await answerOf(world.ask(world.operator, 'POST', routes.mailTest))).toEqual([
    409,
    'LAB_MAIL_NOT_CONFIGURED',
  ])
})

it('a server that is killed while it sends loses no mail: it sends it again under the same Message-ID, once', async () => {
  const dir = await makeOrdinaryFolder()
  await using smtp = await startSmtp()
  try {
    const settings = {
      PUBLIC_URL: site,
      SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      SMTP_FROM: 'testbed@lab.example',
    }
    const first = await startServer(dir, null, settings)
    // The whole mail has come, and nobody has told the server that it was taken.
    const killed = new Promise<void>((resolve) => {
      smtp.onMail = async () => {
        smtp.onMail = () => undefined
        await first.end('SIGKILL')
        resolve()
      }
    })
    const email = { email: 'op@lab.example' }
    const url = path(routes.userChangeAuth, { id: 1 })
    expect((await first.ask('POST', url, email)).status).toBe(200)
    expect((await first.ask('POST', routes.mailTest)).status).toBe(202)
    await killed
    const second = await startServer(dir, null, settings)
    await smtp.take(2)
    const ids = smtp.mails.map(({ parsed }) => parsed.messageId)
    expect(ids[0]).toBe(ids[1])
    await eventually(async () =>
      expect((await second.ask('GET', routes.mail)).body).toMatchObject({
        waiting: 0,
        sent_last_day: 1,
      }),
    )
    expect(await second.end('SIGTERM')).toBe(0)
    expect(smtp.mails).toHaveLength(2)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

it('a server that stops in order finishes the mail that it is sending, and begins no other', async () => {
  await using world = await testbeds.start({ publicUrl: site })
  const { database } = world
  await using notifications = await openNotifications({ database, onError: () => undefined })
  const [begun, taken] = [Promise.withResolvers<undefined>(), Promise.withResolvers<null>()]
  const recipients: string[] = []
  const sender = startSender({
    db: database.db,
    notifications,
    transport: {
      send({ recipient }) {
        recipients.push(recipient)
        begun.resolve(undefined)
        return taken.promise
      },
    },
    onError: () => undefined,
  })
  await world.context.registry.change(async (change) => {
    for (const recipient of ['ada@lab.example', 'bob@lab.example']) {
      const [text, html, endsOn] = ['x', 'x', new Date(Date.now() + 3600_000)]
      const mail = {
        kind: 'notice',
        userId: 1,
        recipient,
        subject: 'x',
        text,
        html,
        endsOn,
      } as const
      await enqueueMail(change, mail, { mail: { site, domain: 'lab.example' } })
    }
  })
  await begun.promise
  const ended = sender[Symbol.asyncDispose]()
  taken.resolve(null)
  await ended
  const { rows } = await sql<{ recipient: string }>`
    select recipient from mails where sent_on is not null`.execute(database.db)
  expect(rows).toEqual([{ recipient: recipients[0] }])
  expect(recipients).toHaveLength(1)
})

it('is emptied of what has ended also where the server sends no e-mail any more', async () => {
  await using world = await testbeds.start()
  const { db } = world.database
  const endsOn = new Date(Date.now() + 3600_000)
  const mail = { kind: 'reset', userId: 1, recipient: 'ada@lab.example', subject: 'x' } as const
  await world.context.registry.change((change) =>
    enqueueMail(
      change,
      { ...mail, text: secretText, html: secretText, endsOn },
      { mail: { site, domain: 'lab.example' } },
    ),
  )
  await tidy(world.context.registry, fail)
  const bodies = async () => (await db.selectFrom('mails').select('body').execute())[0]?.body
  expect(await bodies()).toBe(secretText)
  await sql`update mails set ends_on = now()`.execute(db)
  await tidy(world.context.registry, fail)
  expect(await bodies()).toBeNull()
})

function fail(error: unknown): never {
  throw error
}
