import { LabError } from '@community-lab/contract'
import { permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
import type { Registry } from '../registry/registry.ts'
import { maybeSliceOf, nodeScope } from './domain/name.ts'

/**
 * Let only who may read a scope's samples go on: the nodes' own are public as the testbed's state is, a slice's are for its group's members and operators.
 *
 * @throws {@link LabError} LAB_NOT_FOUND for a scope that is none, LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
 */
export async function permitScope(
  registry: Registry,
  principal: Principal,
  scope: string,
): Promise<void> {
  if (scope === nodeScope) return
  const sliceId = maybeSliceOf(scope)
  const groupId = sliceId === null ? null : await registry.sliceGroup(sliceId)
  if (groupId === null)
    throw new LabError('LAB_NOT_FOUND', { kind: 'scope', id: scope.slice(0, 64) })
  permit(principal, 'read a slice’s samples', { owner: { groupId } })
}

/** The scopes among these that may be read. */
export async function permittedScopes(
  registry: Registry,
  principal: Principal,
  scopes: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const permitted = new Set<string>()
  for (const scope of new Set(scopes)) {
    if (scope === nodeScope || (await mayRead(registry, principal, scope))) permitted.add(scope)
  }
  return permitted
}

async function mayRead(registry: Registry, principal: Principal, scope: string): Promise<boolean> {
  const right = 'read a slice’s samples'
  // Who may read nobody's samples, such as one without a token, costs no query.
  if (findRefusal(right, principal, 'unknown') !== null) return false
  const sliceId = maybeSliceOf(scope)
  const groupId = sliceId === null ? null : await registry.sliceGroup(sliceId)
  return findRefusal(right, principal, { groupId }) === null
}
