import type { Asker } from '../domain/asker.ts'

/** The user or node that a request comes from. It is found once per request, from the token. */
export interface Principal extends Asker {
  readonly tokenId: number | null
  readonly tokenName: string | null
  readonly userName: string | null
  /** The time when the token expires, in milliseconds since the epoch; null: never. */
  readonly endsMs: number | null
  /** The time just before its token was read from the database, by `performance.now()`. */
  readonly soughtMs: number
  /** The value that a page of its session sends with changes; null: the request is of no session. */
  readonly csrfToken: string | null
}

/** A request without a token may read the testbed's state, and nothing else. */
export const anonymous: Principal = {
  role: 'anonymous',
  scope: 'read',
  tokenId: null,
  tokenName: null,
  userName: null,
  userId: null,
  memberships: [],
  nodeId: null,
  endsMs: null,
  soughtMs: 0,
  csrfToken: null,
}
