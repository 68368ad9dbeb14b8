import { LabError } from '@community-lab/contract'
import { findRefusal, type Owner, type Refusal } from '../domain/asker.ts'
import { describeParties, rights, type Right, type RightName } from '../domain/rights.ts'
import type { Principal } from './principal.ts'

/** The object that a right is needed for. */
export interface PermitOptions {
  /** The owner of the object; `unknown`: the object was not read yet. Default: nobody. */
  readonly owner?: Owner | 'unknown'
  /** The name of the object's group, for the refusal. */
  readonly group?: string | null
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

/** Return the error of a refusal. It names the action and who may do it. */
export function describeRefusal(
  refusal: Refusal,
  { role }: Principal,
  { name, group }: { readonly name: RightName; readonly group: string | null },
): LabError {
  if (refusal === 'no token') return new LabError('LAB_AUTH_REQUIRED', { action: `To ${name}` })
  const right: Right = rights[name]
  const needs =
    refusal === 'a token that may only read'
      ? 'a token that may change things, not only read'
      : `the token of ${describeParties(right, group)}`
  return new LabError('LAB_AUTH_FORBIDDEN', { action: name, role, needs })
}

/** Return the user of a principal. Throws for a node, which has no user. */
export function actingUser({ userId, tokenId }: Principal): number {
  if (userId === null) throw new LabError('LAB_INTERNAL', { what: `token ${tokenId} has no user` })
  return userId
}
