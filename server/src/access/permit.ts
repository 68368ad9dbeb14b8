import { LabError } from '@community-lab/contract'
import { findRefusal, rights, type Right, type RightName } from '../domain/rights.ts'
import type { Principal } from './principal.ts'

/**
 * Let only roles and scopes that have a right go on.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitRight(principal: Principal, name: RightName): void {
  const { role, scope } = principal
  const right: Right = rights[name]
  if (role === 'anonymous') {
    if (right.roles === 'anybody') return
    throw new LabError('LAB_AUTH_REQUIRED', { action: `To ${name}` })
  }
  const needs = findRefusal(name, role, scope)
  if (needs !== null) throw new LabError('LAB_AUTH_FORBIDDEN', { action: name, role, needs })
}

/**
 * Let only operators, and researchers of a group, do something to what the group owns.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitGroup(principal: Principal, action: string, groupId: number): void {
  const { role } = principal
  if (role === 'anonymous') throw new LabError('LAB_AUTH_REQUIRED', { action: `To ${action}` })
  if (role === 'operator' || (role === 'researcher' && principal.groupId === groupId)) return
  const needs = 'a token of the group that owns it, or an operator’s'
  throw new LabError('LAB_AUTH_FORBIDDEN', { action, role, needs })
}

/**
 * Let only a node itself do something.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitNode(principal: Principal, action: string, nodeId: number): void {
  const { role } = principal
  if (role === 'anonymous') throw new LabError('LAB_AUTH_REQUIRED', { action: `To ${action}` })
  if (role === 'node' && principal.nodeId === nodeId) return
  const needs = `the token of node ${nodeId} itself`
  throw new LabError('LAB_AUTH_FORBIDDEN', { action, role, needs })
}

/** The user and group that a principal acts for; nodes have none. */
export function actingUser(principal: Principal): {
  readonly userId: number
  readonly groupId: number
} {
  const { userId, groupId } = principal
  if (userId === null || groupId === null)
    throw new LabError('LAB_INTERNAL', { what: `token ${principal.tokenId} has no user` })
  return { userId, groupId }
}
