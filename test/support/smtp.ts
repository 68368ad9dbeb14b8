import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import { eventually } from './eventually.ts'

/** A mail that an SMTP server has taken. */
export interface TakenMail {
  readonly recipients: readonly string[]
  /** As it was sent. */
  readonly source: string
  readonly parsed: Email
}

/** What an SMTP server answers instead of taking a mail. */
export interface Refusal {
  readonly responseCode: number
  readonly message: string
}

/** An SMTP server of a test. */
export interface Smtp extends AsyncDisposable {
  readonly port: number
  readonly mails: readonly TakenMail[]
  /** What it answers to a recipient; null: it takes the recipient. */
  refuseRecipient: (address: string) => Refusal | null
  /** Called with each whole mail before it is answered. */
  onMail: (mail: TakenMail) => void | Promise<void>
  /** Wait until it has taken so many mails. Returns the last one. */
  take(count: number): Promise<TakenMail>
}

/** Start an SMTP server, on a port of its own or on that of one which was ended. */
export async function startSmtp(port = 0): Promise<Smtp> {
  const mails: TakenMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo({ address }, _session, done) {
      const refusal = smtp.refuseRecipient(address)
      done(refusal === null ? null : asError(refusal))
    },
    onData(stream, { envelope }, done) {
      const taking = async (): Promise<void> => {
        const bytes = await buffer(stream)
        const mail = {
          recipients: envelope.rcptTo.map(({ address }) => address),
          source: bytes.toString('utf8'),
          parsed: await PostalMime.parse(bytes),
        }
        await smtp.onMail(mail)
        mails.push(mail)
      }
      taking().then(() => done(), done)
    },
  })
  server.on('error', () => undefined)
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  const smtp: Smtp = {
    port: (server.server.address() as AddressInfo).port,
    mails,
    refuseRecipient: () => null,
    onMail: () => undefined,
    take(count) {
      return eventually(() => {
        const mail = mails[count - 1]
        if (mail === undefined) throw new Error(`${mails.length} mails have come, not ${count}`)
        return mail
      })
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
  return smtp
}

function asError({ responseCode, message }: Refusal): Error {
  return Object.assign(new Error(message), { responseCode })
}
