import { messageOf } from '@community-lab/contract'
import { createTransport, type SendMailOptions } from 'nodemailer'
import type { DueMail, MailFailure } from '../registry/write/mails.ts'
import type { Sender, SmtpSettings } from './settings.ts'

/** Sends mails by SMTP. */
export interface Transport {
  /** Send a mail. Returns null when the SMTP server has taken it, and otherwise why not. */
  send(mail: DueMail): Promise<MailFailure | null>
}

const connectWithinMs = 20_000
const silentForMs = 30_000
/** The most characters of an SMTP server's answer that are kept. */
const mostAnswerChars = 500

/** Create the transport. Nothing of it is logged, because an SMTP dialogue has the password and the mails. */
export function createSmtpTransport({ host, port, tls, auth, from }: SmtpSettings): Transport {
  const smtp = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2' },
    ...(auth === null ? {} : { auth }),
    connectionTimeout: connectWithinMs,
    greetingTimeout: connectWithinMs,
    dnsTimeout: connectWithinMs,
    socketTimeout: silentForMs,
    // A mail is made of its own text alone.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send(mail) {
      try {
        await smtp.sendMail(compose(from, mail))
        return null
      } catch (error) {
        return describeFailure(error)
      }
    },
  }
}

/** Describe a mail to nodemailer, which writes its headers. Names and addresses are given apart, so that no text becomes a header. */
export function compose(
  from: Sender,
  { recipient, messageId, subject, text, html, unsubscribeUrl }: MailContent,
): SendMailOptions {
  return {
    from: { ...from },
    to: { name: '', address: recipient },
    messageId,
    subject,
    text,
    html,
    headers: {
      // It asks vacation programs not to answer. Source: RFC 3834, section 5.
      'Auto-Submitted': 'auto-generated',
      ...(unsubscribeUrl === null
        ? {}
        : {
            'List-Unsubscribe': `<${unsubscribeUrl}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
          }),
    },
  }
}

/** What a mail consists of. */
export type MailContent = Omit<DueMail, 'id' | 'attempt' | 'endsOn'>

/**
 * Tell whether a failure is final: the SMTP server refused this recipient or this mail for good (5xx). A refused password, sender or greeting is the
 * configuration's fault, and an operator may correct it meanwhile. Source: RFC 5321, section 4.2.1.
 */
export function describeFailure(error: unknown): MailFailure {
  const known: Error & SmtpError = error instanceof Error ? error : new Error(String(error))
  const { responseCode, code, command, response } = known
  const isFinal =
    responseCode === undefined
      ? code === 'EENVELOPE' || code === 'EMESSAGE'
      : responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA')
  const words = response ?? messageOf(error)
  return {
    isFinal,
    message: words
      .replaceAll(/[\p{Cc}\s]+/gu, ' ')
      .trim()
      .slice(0, mostAnswerChars),
  }
}

/** What nodemailer adds to its errors. */
interface SmtpError {
  readonly responseCode?: number
  /** `EENVELOPE` and `EMESSAGE` without an answer of the SMTP server: nodemailer itself refuses the address or the mail. */
  readonly code?: string
  readonly command?: string
  readonly response?: string
}
