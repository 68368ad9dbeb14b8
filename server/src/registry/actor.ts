import { AsyncLocalStorage } from 'node:async_hooks'
import type { Role } from '@community-lab/contract'

/** Who makes a change, from where, by which token, and by which right. Members are null where the server acts by itself. */
export interface Actor {
  readonly userId: number | null
  readonly tokenId: number | null
  readonly role: Role | null
  /** An IP address; null: a Unix socket of this machine. */
  readonly address: string | null
  readonly right: string
}

const current = new AsyncLocalStorage<Actor>()

/** Do something as an actor: the changes that it makes, and all that it calls makes, are theirs in the audit trail. */
export function actAs<T>(actor: Actor, work: () => T): T {
  return current.run(actor, work)
}

/** Who makes the change that is being made here; null: nobody whose changes are kept, such as a node that reports. */
export function currentActor(): Actor | null {
  return current.getStore() ?? null
}

/** Do something that the server does by itself. */
export function actAsServer<T>(right: string, work: () => T): T {
  return actAs({ userId: null, tokenId: null, role: null, address: null, right }, work)
}
