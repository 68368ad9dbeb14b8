import type { Role, TokenScope } from '@community-lab/contract'

/** Who a request speaks for, found once per request from its token. */
export interface Principal {
  readonly role: Role | 'anonymous'
  readonly scope: TokenScope
  readonly tokenId: number | null
  readonly userId: number | null
  /** The group of the user; nodes have none. */
  readonly groupId: number | null
  /** The node that a node's token belongs to. */
  readonly nodeId: number | null
  /** When the token ends, in milliseconds since the epoch; null: never. */
  readonly endsMs: number | null
}

/** A request without a token: it may read the testbed's state, and nothing else. */
export const anonymous: Principal = {
  role: 'anonymous',
  scope: 'read',
  tokenId: null,
  userId: null,
  groupId: null,
  nodeId: null,
  endsMs: null,
}
