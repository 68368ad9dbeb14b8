import { LabError, parseSliverId, type Sliver } from '@community-lab/contract'
import type { Principal } from '../access/principal.ts'
import type { Registry } from '../registry/registry.ts'

/** Who asks for which sliver. */
export interface TunnelRequest {
  /** `slice@node`. */
  readonly sliverId: string
  readonly principal: Principal
}

const action = "open a sliver's SSH port"

/**
 * Tell which sliver a tunnel goes to, if the asker may have one: operators, and the group that owns the slice.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_NOT_FOUND, LAB_AUTH_FORBIDDEN, LAB_SLIVER_NOT_STARTED.
 */
export async function admitTunnel(
  registry: Pick<Registry, 'sliver' | 'sliceGroup'>,
  { sliverId, principal }: TunnelRequest,
): Promise<Sliver> {
  if (principal.role === 'anonymous') throw new LabError('LAB_AUTH_REQUIRED', { action })
  const id = parseSliverId(sliverId)
  const sliver = id === null ? null : await registry.sliver(sliverId)
  if (id === null || sliver === null) {
    throw new LabError('LAB_NOT_FOUND', { kind: 'sliver', id: sliverId.slice(0, 64) })
  }
  if (principal.role !== 'operator') {
    const group = await registry.sliceGroup(id.sliceId)
    const owns = principal.role === 'researcher' && group !== null && group === principal.groupId
    if (!owns) {
      const needs = 'a token of the group that owns the slice, or an operator’s'
      throw new LabError('LAB_AUTH_FORBIDDEN', { action, role: principal.role, needs })
    }
  }
  if (sliver.state !== 'started') {
    throw new LabError('LAB_SLIVER_NOT_STARTED', { sliver: sliverId, state: sliver.state })
  }
  return sliver
}
