import type { IncomingHttpHeaders } from 'node:http'
import { isIPv6 } from 'node:net'

/** What a request tells of the place that it was sent to. */
export interface Asked {
  readonly headers: IncomingHttpHeaders
  /** Whether it came over the Unix socket. */
  readonly isLocal: boolean
  readonly isTls: boolean
}

/**
 * Return the start of the absolute URIs in an answer, without a last slash: `https://host[:port][/prefix]`. A proxy that passes requests on over the Unix
 * socket, such as JupyterLab's, says by X-Forwarded-Proto, -Host and -Prefix how its clients reach it. From others these headers are ignored. Otherwise it is
 * the configured URL, or else what the client itself used.
 *
 * @param publicUrl - the configured URL of the server; null: none
 */
export function siteOf({ headers, isLocal, isTls }: Asked, publicUrl: string | null): string {
  const forwarded = (name: string): string | null =>
    isLocal ? firstOf(headers[`x-forwarded-${name}`]) : null
  const prefix = readPrefix(forwarded('prefix'))
  const host = readHost(forwarded('host'))
  if (publicUrl !== null && host === null && prefix === '') return publicUrl
  const proto = readProto(forwarded('proto')) ?? (isTls ? 'https' : 'http')
  return `${proto}://${host ?? readHost(headers.host ?? null) ?? 'localhost'}${prefix}`
}

/** Return the first value of a header: that of the proxy nearest to the client. */
function firstOf(header: string | readonly string[] | undefined): string | null {
  const text = typeof header === 'string' ? header : header?.[0]
  return text?.split(',')[0]?.trim() ?? null
}

/**
 * The header contains what a client sends, so only a name or an address with a port is used. Each URI of an answer repeats it, so it is no longer than a name may be.
 * Source: RFC 1035 §2.3.4, without the last dot.
 */
function readHost(text: string | null): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|[\w.-]{1,253})(?::\d{1,5})?$/iu.exec(text ?? '')
  if (match === null || text === null) return null
  return match[1] === undefined || isIPv6(match[1]) ? text : null
}

function readProto(text: string | null): 'http' | 'https' | null {
  return text === 'http' || text === 'https' ? text : null
}

function readPrefix(text: string | null): string {
  const bare = (text ?? '').replace(/\/+$/u, '')
  return /^(?:\/[\w.~%@:+-]+)+$/u.test(bare) ? bare : ''
}
