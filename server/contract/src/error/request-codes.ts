import { code } from './define.ts'

/** A defect of a document: where it is (JSON pointer), and what it is. */
export interface Issue {
  readonly pointer: string
  readonly message: string
}

/** Codes of any request to the server. */
export const requestCodes = {
  LAB_REQUEST_INVALID: code<{ issues: readonly Issue[] }>(
    400,
    false,
    (d) =>
      `the request is not valid: ${d.issues.map((i) => `${i.pointer === '' ? 'body' : i.pointer} ${i.message}`).join('; ')}`,
  ),
  LAB_REQUEST_UNKNOWN_FILTER: code<{
    filter: string
    known: readonly string[]
    /** What is not known: the member, the value because it is no JSON, or this type of the member. */
    unknown: 'member' | 'value' | 'type'
  }>(422, false, (d) =>
    d.unknown === 'member'
      ? `filter ${JSON.stringify(d.filter)} is not known here; known: ${d.known.join(', ')}`
      : d.unknown === 'value'
        ? `the value of filter ${JSON.stringify(d.filter)} cannot be read; a text is in double quotes, as in /name="n1"`
        : `filter ${JSON.stringify(d.filter)} has a value of another type than the member; a text is in double quotes, as in /name="n1"`,
  ),
  LAB_REQUEST_TOO_LARGE: code<{ limitBytes: number }>(
    413,
    false,
    (d) => `the request's body is larger than ${d.limitBytes} bytes; send less`,
  ),
  LAB_REQUEST_RATE_LIMITED: code<{ retryAfterS: number }>(
    429,
    true,
    (d) => `too many requests from this address; try again in ${d.retryAfterS} s`,
  ),
  LAB_REQUEST_TOO_MANY_STREAMS: code<{
    limit: number
    of: 'token' | 'user' | 'address' | 'server'
  }>(
    429,
    true,
    (d) =>
      `${d.of === 'server' ? 'the server' : `this ${d.of}`} has ${d.limit} streams open, the most there may be; end one first`,
  ),
  LAB_REQUEST_PRECONDITION_FAILED: code<{ uri: string }>(
    412,
    false,
    (d) => `${d.uri} has changed since it was read; read it again and repeat the change`,
  ),
  LAB_REQUEST_MEDIA_TYPE: code<{ found: string; expected?: string }>(415, false, (d) =>
    d.expected === undefined
      ? `cannot read a body of type ${JSON.stringify(d.found)}; send application/json`
      : `the body is ${d.found}; send ${d.expected}`,
  ),
  LAB_REQUEST_METHOD: code<{ method: string; path: string; allowed: readonly string[] }>(
    405,
    false,
    (d) => `${d.path} has no ${d.method}; it has ${d.allowed.join(', ')}`,
  ),
  LAB_REQUEST_NOT_ACCEPTABLE: code<{ accept: string; offered: string }>(
    406,
    false,
    (d) => `cannot answer as ${JSON.stringify(d.accept)}; accept ${d.offered}`,
  ),
  LAB_NOT_FOUND: code<{ kind: string; id: string }>(
    404,
    false,
    (d) => `there is no ${d.kind} ${JSON.stringify(d.id)}`,
  ),
  LAB_AUTH_REQUIRED: code<{ action: string }>(
    401,
    false,
    (d) =>
      `${d.action} needs a token; set COMMUNITY_LAB_TOKEN or use the credentials file that the operator gave you`,
  ),
  LAB_AUTH_INVALID_TOKEN: code<{ reason: string }>(
    401,
    false,
    (d) => `the token was refused: ${d.reason}; ask the operator for a new one`,
  ),
  LAB_AUTH_FORBIDDEN: code<{ action: string; role: string; needs: string; next?: string }>(
    403,
    false,
    (d) =>
      `a token of role ${d.role} may not ${d.action}; it needs ${d.needs}${d.next === undefined ? '' : `; ${d.next}`}`,
  ),
  LAB_AUTH_LAST_OPERATOR: code<{ what: string }>(
    409,
    false,
    (d) =>
      `${d.what} is the last that lets an operator in for good; make another operator's token that does not end first`,
  ),
  LAB_AUTH_FOREIGN_ORIGIN: code<{ origin: string }>(
    403,
    false,
    (d) => `a page of ${d.origin} may not change this testbed; the operator can allow its origin`,
  ),
  LAB_AUTH_LOG_IN_FAILED: code<{ reason: 'wrong' | 'disabled' }>(400, false, (d) =>
    d.reason === 'disabled'
      ? 'cannot log in: the user is disabled; ask an operator of the testbed'
      : 'cannot log in: there is no user of this name or e-mail address with this password; check both, or reset the password',
  ),
  LAB_AUTH_TOO_MANY_ATTEMPTS: code<{ of: 'user' | 'address' | 'server'; retryAfterS: number }>(
    429,
    true,
    (d) =>
      `${d.of === 'server' ? 'too many people log in at this moment' : `too many attempts ${d.of === 'user' ? 'for this user' : 'from this address'}`}; try again in ${d.retryAfterS} s`,
  ),
  LAB_AUTH_CSRF: code<{ header: string }>(
    403,
    false,
    (d) =>
      `a page's change needs header ${d.header} with the session's csrf_token (GET /api/users/ctl/whoami/ shows it); the page may be of another session: load it again`,
  ),
  LAB_AUTH_INVITATION_REFUSED: code<object>(
    400,
    false,
    () =>
      'the one-time secret cannot be used: it was used already, a newer one took its place, it is too old (an invitation ends after a day, a reset after an hour), its user is disabled, or it never was one; ask for another (community-lab user reset-password), or ask an operator',
  ),
  LAB_AUTH_PASSWORD_WEAK: code<{ problem: string }>(
    400,
    false,
    (d) =>
      `the password cannot be taken: ${d.problem}; a few words that only you would put together make a good one`,
  ),
  LAB_MAIL_NOT_CONFIGURED: code<object>(
    409,
    false,
    () =>
      'this testbed sends no e-mail; ask an operator, who makes a one-time secret (community-lab user invite), or sets COMMUNITY_LAB_SERVER_SMTP_URL',
  ),
  LAB_MAIL_NO_ADDRESS: code<{ user: string }>(
    409,
    false,
    (d) => `user ${d.user} has no e-mail address; set one first (community-lab user email ADDRESS)`,
  ),
  LAB_MAIL_OUTBOX_FULL: code<object>(
    503,
    true,
    () =>
      'more mails wait than the server keeps: its SMTP server takes none; an operator sees why (community-lab mail status)',
  ),
  LAB_SERVER_INTERNAL: code<{ requestId: string }>(
    500,
    true,
    (d) => `the server failed on request ${d.requestId}; its log tells why`,
  ),
  LAB_SERVER_BUSY: code<{ retryAfterS: number }>(
    503,
    true,
    (d) => `more is asked at this moment than the server answers; come again in ${d.retryAfterS} s`,
  ),
  LAB_SERVER_UNAVAILABLE: code<{ what: string }>(
    503,
    true,
    (d) => `the server cannot answer now: ${d.what}; try again shortly`,
  ),
} as const
