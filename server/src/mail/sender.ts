import { setTimeout as delay } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import { channels, type Notifications } from '../postgres/notifications.ts'
import type { Tables } from '../postgres/tables.ts'
import {
  noteFailed,
  noteSent,
  takeDueMail,
  tidyMails,
  type MailFailure,
} from '../registry/write/mails.ts'
import type { Transport } from './transport.ts'

/** Options of {@link startSender}. */
export interface SenderOptions {
  readonly db: Kysely<Tables>
  readonly notifications: Notifications
  readonly transport: Transport
  readonly onError: (error: unknown) => void
}

/** The interval at which mails are looked for that are due again, in milliseconds. */
const lookEveryMs = 15_000
/** So many mails are sent at once, then one a second, because SMTP servers refuse who sends faster than people write. */
const burst = 10
const paceMs = 1_000
/** The most time for one mail, in milliseconds. An SMTP server may be slow, but not for ever. */
const sentWithinMs = 120_000
/** The number of the advisory lock of the process that sends. The number is "clml" in ASCII. */
const senderLock = 0x636c6d6c
/** How long the server waits at its end for the mail that it is sending. */
const finishWithinMs = 5_000

/**
 * Send the mails of the outbox, one after the other. One process of a database sends at a time: it holds a lock of PostgreSQL, which ends with its connection. So a
 * process that is killed leaves nothing locked, and the mail that it was sending is sent by the next one. If the SMTP server had taken the mail before the kill, the
 * recipient gets it twice, with the same Message-ID, by which many mail programs show it once.
 */
export function startSender(options: SenderOptions): AsyncDisposable {
  const { db, notifications, onError } = options
  const ending = new AbortController()
  const isEnding = (): boolean => ending.signal.aborted
  const ended = new Promise<never>((_resolve, reject) => {
    // The mail that is being sent is finished first, or the next start would send it again.
    ending.signal.addEventListener('abort', () => {
      setTimeout(() => reject(new Error('the server stops')), finishWithinMs).unref()
    })
  })
  ended.catch(() => undefined)
  const pace = createPace(ending.signal)
  let isWanted = false
  let running: Promise<void> | null = null
  const wake = (): void => {
    isWanted = true
    running ??= run()
      .catch((error: unknown) => {
        if (!isEnding()) onError(error)
      })
      .finally(() => {
        running = null
        if (isWanted && !isEnding()) wake()
      })
  }
  async function run(): Promise<void> {
    isWanted = false
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ mine: boolean }>`
        select pg_try_advisory_xact_lock(${senderLock}) as mine`.execute(tx)
      if (rows[0]?.mine === true) await Promise.race([sendAll(options, pace, isEnding), ended])
    })
  }
  const unsubscribe = notifications.on(channels.mail, wake)
  const timer = setInterval(wake, lookEveryMs)
  timer.unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      unsubscribe()
      ending.abort()
      await running
    },
  }
}

/** Send what is due, until nothing is or the SMTP server does not take a mail: then the next look tries the next one. */
async function sendAll(
  { db, transport }: SenderOptions,
  pace: Pace,
  isEnding: () => boolean,
): Promise<void> {
  await tidyMails(db)
  while (!isEnding()) {
    const mail = await takeDueMail(db, new Date())
    if (mail === null) return
    await pace.next()
    const failure = await within(sentWithinMs, transport.send(mail))
    if (failure === null) await noteSent(db, mail.id, new Date())
    else await noteFailed(db, mail, failure, new Date())
    if (failure !== null && !failure.isFinal) return
  }
}

async function within(
  limitMs: number,
  sending: Promise<MailFailure | null>,
): Promise<MailFailure | null> {
  const late = { isFinal: false, message: `the SMTP server needed more than ${limitMs / 1000} s` }
  const ending = new AbortController()
  const limit = delay(limitMs, late, { ref: false, signal: ending.signal })
  limit.catch(() => undefined)
  try {
    return await Promise.race([sending, limit])
  } finally {
    ending.abort()
  }
}

/** Limits how fast mails are sent. */
interface Pace {
  /** Wait until the next mail may be sent. */
  next(): Promise<void>
}

function createPace(signal: AbortSignal): Pace {
  let left = burst
  let sinceMs = performance.now()
  return {
    async next() {
      const nowMs = performance.now()
      left = Math.min(burst, left + (nowMs - sinceMs) / paceMs)
      sinceMs = nowMs
      left -= 1
      if (left < 0) await delay(-left * paceMs, undefined, { signal })
    },
  }
}
