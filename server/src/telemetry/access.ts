import { LabError } from '@community-lab/contract'
import { describeRefusal } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
import type { Registry } from '../registry/registry.ts'
import { maybeSliceOf, nodeScope } from './domain/name.ts'

/**
 * Require that the asker may read the samples of a scope. The nodes' own samples are public; those of a slice are for members of its group and for operators.
 *
 * @throws {@link LabError} LAB_NOT_FOUND for an unknown scope, LAB_AUTH_REQUIRED, LAB_AUTH_FORBIDDEN.
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
  const name = 'read a slice’s samples'
  const refusal = findRefusal(name, principal, { groupId })
  if (refusal === null) return
  throw describeRefusal(refusal, principal, { name, group: await registry.groupContact(groupId) })
}

/** Return the scopes among these that a principal may read. */
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
  // An asker who may read no slice's samples, for example without a token, causes no query.
  if (findRefusal(right, principal, 'unknown') !== null) return false
  const sliceId = maybeSliceOf(scope)
  const groupId = sliceId === null ? null : await registry.sliceGroup(sliceId)
  return findRefusal(right, principal, { groupId }) === null
}
