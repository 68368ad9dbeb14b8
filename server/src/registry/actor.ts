import { AsyncLocalStorage } from 'node:async_hooks'
import type { Role } from '@community-lab/contract'

/** The user who makes a change, with address, token and right. Members are null when the server acts by itself. */
export interface Actor {
  readonly userId: number | null
  readonly userName: string | null
  readonly tokenId: number | null
  readonly tokenName: string | null
  readonly role: Role | null
  /** The IP address; null: a Unix socket of this machine. */
  readonly address: string | null
  readonly right: string
}

const current = new AsyncLocalStorage<Actor>()

/** Run a function as an actor. The audit trail names this actor for its changes, and for those of everything that it calls. */
export function actAs<T>(actor: Actor, work: () => T): T {
  return current.run(actor, work)
}

/** Return the actor of the present change; null when its changes are not recorded, such as those of a node's report. */
export function currentActor(): Actor | null {
  return current.getStore() ?? null
}

const nobody = {
  userId: null,
  userName: null,
  tokenId: null,
  tokenName: null,
  role: null,
  address: null,
} as const

/** Run a function as an action of the server itself. */
export function actAsServer<T>(right: string, work: () => T): T {
  return actAs({ ...nobody, right }, work)
}

/** Run a function as an action of a user who has no token yet, such as a log-in. */
export function actAsUser<T>(
  user: { readonly id: number; readonly name: string },
  { address, right }: Pick<Actor, 'address' | 'right'>,
  work: () => T,
): T {
  return actAs({ ...nobody, userId: user.id, userName: user.name, address, right }, work)
}
