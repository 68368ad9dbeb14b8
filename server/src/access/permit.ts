import { LabError, type Role } from '@community-lab/contract'
import type { Principal } from './principal.ts'

/**
 * Let only these roles do something. `action` completes "may not …".
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitRoles(principal: Principal, action: string, roles: readonly Role[]): void {
  const { role } = principal
  if (role === 'anonymous') throw new LabError('LAB_AUTH_REQUIRED', { action: capitalize(action) })
  if (!roles.includes(role))
    throw new LabError('LAB_AUTH_FORBIDDEN', {
      action,
      role,
      needs: `a token of role ${roles.join(' or ')}`,
    })
}

/**
 * Let only operators, and researchers of a group, do something to what the group owns.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitGroup(principal: Principal, action: string, groupId: number): void {
  permitRoles(principal, action, ['operator', 'researcher'])
  if (principal.role === 'operator' || principal.groupId === groupId) return
  throw new LabError('LAB_AUTH_FORBIDDEN', {
    action,
    role: principal.role,
    needs: 'a token of the group that owns it, or an operator’s',
  })
}

/**
 * Let only a node itself do something.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export function permitNode(principal: Principal, action: string, nodeId: number): void {
  permitRoles(principal, action, ['node'])
  if (principal.nodeId === nodeId) return
  throw new LabError('LAB_AUTH_FORBIDDEN', {
    action,
    role: 'node',
    needs: `the token of node ${nodeId} itself`,
  })
}

/** The user and group that a principal acts for; nodes have none. */
export function actingUser(
  principal: Principal,
  action: string,
): { readonly userId: number; readonly groupId: number } {
  permitRoles(principal, action, ['operator', 'researcher'])
  const { userId, groupId } = principal
  if (userId === null || groupId === null)
    throw new LabError('LAB_INTERNAL', { what: `token ${principal.tokenId} has no user` })
  return { userId, groupId }
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
