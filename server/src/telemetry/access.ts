import { LabError } from '@community-lab/contract'
import { permitGroup } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import type { Registry } from '../registry/registry.ts'
import { maybeSliceOf, nodeScope } from './domain/name.ts'

/**
 * Let only who may read a scope's samples go on: the nodes' own are public as the testbed's state is, a slice's are its group's and the operators'.
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
  permitGroup(principal, `read the samples of ${scope}`, groupId)
}

/** The scopes among these that may be read. */
export async function permittedScopes(
  registry: Registry,
  principal: Principal,
  scopes: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const permitted = new Set<string>()
  for (const scope of new Set(scopes)) {
    if (scope !== nodeScope && principal.role !== 'operator') {
      const sliceId = maybeSliceOf(scope)
      if (sliceId === null || principal.groupId === null) continue
      if ((await registry.sliceGroup(sliceId)) !== principal.groupId) continue
    }
    permitted.add(scope)
  }
  return permitted
}
