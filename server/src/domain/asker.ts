import type { Role, TokenScope } from '@community-lab/contract'
import { rights, type Party, type Right, type RightName } from './rights.ts'

/** A group of a user, and the user's rights in it. */
export interface Membership {
  readonly groupId: number
  readonly isGroupAdmin: boolean
  readonly isNodeAdmin: boolean
  readonly isSliceAdmin: boolean
}

/** The sender of a request, with everything that decides about rights. */
export interface Asker {
  /** The highest role that the token allows. */
  readonly role: Role | 'anonymous'
  readonly scope: TokenScope
  /** The user to whom the token belongs. */
  readonly userId: number | null
  readonly memberships: readonly Membership[]
  /** The node that a node's token belongs to. */
  readonly nodeId: number | null
}

/** The owner of an object. */
export interface Owner {
  readonly groupId?: number | null
  readonly userId?: number | null
  readonly nodeId?: number
}

/** The reason why a request is refused. */
export type Refusal = 'no token' | 'a token that may only read' | 'not the one who may'

/**
 * Decide whether an asker may do something to an object of this owner. Returns null when the asker may, and otherwise the reason.
 *
 * The owner is `unknown` before the object was read. Then an asker is refused only if there is no object to which the asker may do it.
 */
export function findRefusal(
  name: RightName,
  asker: Asker,
  owner: Owner | 'unknown',
): Refusal | null {
  const right: Right = rights[name]
  if (right.may === 'anybody') return right.changes && isReader(asker) ? onlyReads : null
  if (asker.role === 'anonymous') return 'no token'
  if (!right.may.some((party) => isParty(party, asker, owner))) return 'not the one who may'
  return right.changes && isReader(asker) ? onlyReads : null
}

/** Return the groups in which a role of the asker has a right. For operators, who may have it in all groups, only their own roles count. */
export function groupsWithRight(name: RightName, asker: Asker): readonly number[] {
  const { may }: Right = rights[name]
  if (may === 'anybody') return []
  return asker.memberships.flatMap((one) =>
    may.some((party) => isInGroup(party) && holds(one, party)) ? [one.groupId] : [],
  )
}

const onlyReads = 'a token that may only read'

function isReader({ role, scope }: Asker): boolean {
  return role !== 'anonymous' && scope === 'read'
}

function isParty(party: Party, asker: Asker, owner: Owner | 'unknown'): boolean {
  const { role, userId, nodeId } = asker
  const isPerson = role === 'operator' || role === 'researcher'
  switch (party) {
    case 'operator':
      return role === 'operator'
    case 'person':
      return isPerson
    case 'node':
      return role === 'node'
    case 'node itself':
      return role === 'node' && (owner === 'unknown' || owner.nodeId === nodeId)
    case 'user itself':
      return isPerson && (owner === 'unknown' || owner.userId === userId)
    default:
      return isPerson && asker.memberships.some((one) => isOf(one, owner) && holds(one, party))
  }
}

type GroupParty = 'group admin' | 'node admin' | 'slice admin' | 'member'

function isInGroup(party: Party): party is GroupParty {
  return ['group admin', 'node admin', 'slice admin', 'member'].includes(party)
}

function isOf({ groupId }: Membership, owner: Owner | 'unknown'): boolean {
  return owner === 'unknown' || owner.groupId === groupId
}

function holds(
  { isGroupAdmin, isNodeAdmin, isSliceAdmin }: Membership,
  party: GroupParty,
): boolean {
  switch (party) {
    case 'member':
      return true
    case 'group admin':
      return isGroupAdmin
    case 'node admin':
      return isGroupAdmin || isNodeAdmin
    case 'slice admin':
      return isGroupAdmin || isSliceAdmin
  }
}
