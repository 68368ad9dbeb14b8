import type { MemberError } from '@community-lab/contract'
import type { NodeWanted } from './wanted.ts'

/** The states that an owner can hold a node in, on the device itself. `production`: it is not held. */
export const ownerStates = ['production', 'safe', 'failure'] as const

/** What the owner of a node has set on the device. */
export interface OwnerSetting {
  /** `safe`: slivers are stopped, and keep their files. `failure`: they are removed. */
  readonly state: (typeof ownerStates)[number]
  /** Why, in the owner's words; null: the owner gave no reason. */
  readonly reason: string | null
  /** The name of the user who set it, on the device. */
  readonly by: string
  /** When, RFC 3339. */
  readonly since: string
}

/** What is known of the owner's setting; null: the owner has set nothing. */
export type KnownOwnerSetting = OwnerSetting | UnreadableSetting | null

/** The owner has set something, but it cannot be read. */
export interface UnreadableSetting {
  readonly state: 'unreadable'
  readonly reason: string
  /** Whether the file is damaged; otherwise only this attempt has failed. */
  readonly isDamaged: boolean
}

/**
 * Return the target as far as the node's owner allows it: what the server wants never brings a node further than its owner does. A setting that cannot be read
 * holds the node in `safe`, because that stops everything and loses nothing.
 */
export function holdByOwner(target: NodeWanted, owner: KnownOwnerSetting): NodeWanted {
  const allowed = owner?.state === 'unreadable' ? 'safe' : (owner?.state ?? 'production')
  return holdAt(target, allowed)
}

/** Return the target of a node that may not go further than a state. Of two states, the one counts that leaves less on the node. */
export function holdAt(target: NodeWanted, allowed: keyof typeof depth): NodeWanted {
  const isHeld = depth[allowed] > depth[target.node.set_state]
  return isHeld ? { ...target, node: { ...target.node, set_state: allowed } } : target
}

/** How far each state is from production. */
const depth = { production: 0, safe: 1, debug: 2, failure: 3 } as const

/** Describe for the report who holds the node in which state, and why; null: nobody does. */
export function describeOwner(owner: KnownOwnerSetting): MemberError | null {
  if (owner === null || owner.state === 'production') return null
  const member = '/set_state'
  const end = 'ends with `community-lab-agent owner production` on the device'
  if (owner.state === 'unreadable') {
    const message = `what the owner has set on the device cannot be read (${owner.reason}), so the node is held in safe. This ${end}`
    return { member, message }
  }
  const why = owner.reason === null ? '' : `: ${owner.reason}`
  const message = `the owner holds the node in ${owner.state} (${owner.by}, on the device, since ${owner.since})${why}. This ${end}`
  return { member, message }
}
