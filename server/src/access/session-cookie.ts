import { createHash, timingSafeEqual } from 'node:crypto'
import { LabError } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The header of a page's change. Source: CONFINE (Django) has the same name. */
const csrfHeader = 'X-CSRFToken'

/** The cookie of a server's sessions. */
export interface SessionCookie {
  /** Return the secret in a request; null when it has none. */
  read(request: FastifyRequest): string | null
  /** Give a page its secret; it ends at this time. */
  set(reply: FastifyReply, secret: string, endsOn: Date): void
  clear(reply: FastifyReply): void
}

/** Create it. Cookies ignore ports, so two servers of one machine need two names. `serverId` are a few letters that only this server has. */
export function createSessionCookie(serverId: string): SessionCookie {
  const name = `community_lab_${serverId}`
  const pattern = new RegExp(`(?:^|;)\\s*${name}=([\\w-]{20,200})(?=\\s*(?:;|$))`, 'u')
  // A page cannot read it (HttpOnly), and a foreign page's forms do not send it (Lax).
  const write = (reply: FastifyReply, value: string): void => {
    const secure = reply.request.protocol === 'https' ? '; Secure' : ''
    void reply.header('set-cookie', `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}`)
  }
  return {
    read: ({ headers }) => pattern.exec(headers.cookie ?? '')?.[1] ?? null,
    set: (reply, secret, endsOn) => write(reply, `${secret}; Expires=${endsOn.toUTCString()}`),
    clear: (reply) => write(reply, '; Max-Age=0'),
  }
}

/** Return what a page sends with each change. It is derived from the secret, which the page cannot read, and does not disclose it. */
export function csrfTokenOf(secret: string): string {
  return createHash('sha256').update(`csrf ${secret}`).digest('base64url')
}

/** Check that a change was sent by a page of this session. @throws {@link LabError} LAB_AUTH_CSRF. */
export function checkCsrf({ method, headers }: FastifyRequest, secret: string): void {
  if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return
  const given = Buffer.from(String(headers[csrfHeader.toLowerCase()] ?? ''))
  const wanted = Buffer.from(csrfTokenOf(secret))
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw new LabError('LAB_AUTH_CSRF', { header: csrfHeader })
}
