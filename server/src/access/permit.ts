import { LabError } from '@community-lab/contract'
import { findRefusal, type Owner, type Refusal } from '../domain/asker.ts'
import { describeParties, rights, type Right, type RightName } from '../domain/rights.ts'
import type { GroupContact } from '../registry/read/group-contact.ts'
import type { Principal } from './principal.ts'

/** The object that a right is needed for. */
export interface PermitOptions {
  /** The owner of the object; `unknown`: the object was not read yet. Default: nobody. */
  readonly owner?: Owner | 'unknown'
  /** The object's group, for the refusal. */
  readonly group?: GroupContact | null
}

/**
 * Require a right to an object, by the table of rights.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permit(
  principal: Principal,
  name: RightName,
  { owner = {}, group = null }: PermitOptions = {},
): void {
  const refusal = findRefusal(name, principal, owner)
  if (refusal !== null) throw describeRefusal(refusal, principal, { name, group })
}

/** Return the error of a refusal. It names the action, who may do it, and whom to ask. */
export function describeRefusal(
  refusal: Refusal,
  principal: Principal,
  { name, group }: { readonly name: RightName; readonly group: GroupContact | null },
): LabError {
  const { role } = principal
  if (refusal === 'no token') return new LabError('LAB_AUTH_REQUIRED', { action: `To ${name}` })
  const right: Right = rights[name]
  const needs =
    refusal === 'a token that may only read'
      ? 'a token that may change things, not only read'
      : `the token of ${describeParties(right, group?.name ?? null)}`
  const next = refusal === 'not the one who may' ? nextStep(right, principal, group) : null
  return new LabError('LAB_AUTH_FORBIDDEN', {
    action: name,
    role,
    needs,
    ...(next === null ? {} : { next }),
  })
}

/** Say what a user who may not can do; null when nothing in general. */
function nextStep(
  { may }: Right,
  { role, memberships }: Principal,
  group: GroupContact | null,
): string | null {
  if (role === 'node' || may === 'anybody') return null
  if (may.every((party) => party === 'operator')) return 'ask an operator of the testbed'
  if (group === null) return null
  if (group.admins.length === 0)
    return `group ${group.name} has no active admin: ask an operator of the testbed`
  const admins = `the group admins of ${group.name} are ${group.admins.join(', ')}`
  if (memberships.some(({ groupId }) => groupId === group.id))
    return `${admins}: ask them for that role`
  return `${admins}: ask them, or ask to join (community-lab request ask join ${group.name})`
}

/** Return the user of a principal. Throws for a node, which has no user. */
export function actingUser({ userId, tokenId }: Principal): number {
  if (userId === null) throw new LabError('LAB_INTERNAL', { what: `token ${tokenId} has no user` })
  return userId
}
