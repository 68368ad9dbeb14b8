import { isIP } from 'node:net'
import type { MailSite } from '../registry/write/mails.ts'

/** The SMTP server that takes the server's mail, and the sender's address. */
export interface SmtpSettings {
  readonly host: string
  readonly port: number
  /**
   * How the connection is protected. `implicit`: by TLS from its first byte. `starttls`: it must be upgraded to TLS before anything of a mail is sent. `none`:
   * the SMTP server is on this machine.
   */
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly auth: { readonly user: string; readonly pass: string } | null
  readonly from: Sender
  /** The URL without name and password, for operators. */
  readonly shown: string
}

/** The sender of all mails. */
export interface Sender {
  /** Empty: the address alone is shown. */
  readonly name: string
  readonly address: string
}

/**
 * Read the URL of an SMTP server, `smtp[s]://[user:password@]host[:port]`. Returns null when it is none. Ports: 465 for `smtps`; 587, or 25 on this machine, for
 * `smtp`. Source: RFC 8314, section 3.3 (465, implicit TLS) and section 4.1; RFC 6409, section 3.1 (587).
 */
export function parseSmtpUrl(text: string): Omit<SmtpSettings, 'from'> | null {
  if (!/^smtps?:\/\//u.test(text) || !URL.canParse(text)) return null
  const url = new URL(text)
  const { protocol, hostname, port, username, password, pathname, search, hash } = url
  const rest = `${pathname}${search}${hash}`
  if (hostname === '' || (rest !== '' && rest !== '/')) return null
  if ((username === '') !== (password === '')) return null
  const user = decode(username)
  const pass = decode(password)
  if (user === null || pass === null) return null
  const host = hostname.replace(/^\[|\]$/gu, '')
  const isHere =
    host === 'localhost' || host === '::1' || (isIP(host) === 4 && /^127\./u.test(host))
  const tls = protocol === 'smtps:' ? 'implicit' : isHere ? 'none' : 'starttls'
  const usual = { implicit: 465, starttls: 587, none: 25 }[tls]
  const at = port === '' ? usual : Number(port)
  return {
    host,
    port: at,
    tls,
    auth: user === '' ? null : { user, pass },
    shown: `${protocol}//${hostname}:${at}`,
  }
}

/** Read the sender, `Name <address>` or an address alone. Returns null when it is none. */
export function parseSender(text: string): Sender | null {
  const [, name = '', address = ''] =
    /^(?:([^\p{Cc}<>"]{1,100}?) *<)?([^\s\p{Cc}<>@,;:"()[\]\\]{1,64}@[A-Za-z0-9.-]{1,180})>?$/u.exec(
      text,
    ) ?? []
  const isBracketed = text.endsWith('>')
  if (address === '' || isBracketed !== (name !== '')) return null
  return { name, address }
}

function decode(text: string): string | null {
  try {
    const decoded = decodeURIComponent(text)
    return /\p{Cc}/u.test(decoded) ? null : decoded
  } catch {
    return null
  }
}

/** Return what mails are made with; null: none are sent. */
export function mailSiteOf(smtp: SmtpSettings | null, publicUrl: string | null): MailSite | null {
  if (smtp === null || publicUrl === null) return null
  return { site: publicUrl, domain: smtp.from.address.replace(/^.*@/u, '') }
}
