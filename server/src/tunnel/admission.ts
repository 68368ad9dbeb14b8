import { LabError, parseSliverId, type Sliver } from '@community-lab/contract'
import { permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import type { Registry } from '../registry/registry.ts'

/** The principal, and the sliver that it asks for. */
export interface TunnelRequest {
  /** `slice@node`. */
  readonly sliverId: string
  readonly principal: Principal
}

const right = 'open a sliver’s SSH port'

/**
 * Find the sliver of a tunnel, and check that the asker may use it: operators, and admins of slices in the group that owns it.
 *
 * @throws {@link LabError} LAB_AUTH_REQUIRED, LAB_NOT_FOUND, LAB_AUTH_FORBIDDEN, LAB_SLIVER_NOT_STARTED.
 */
export async function admitTunnel(
  registry: Pick<Registry, 'sliver' | 'sliceGroup'>,
  { sliverId, principal }: TunnelRequest,
): Promise<Sliver> {
  permit(principal, right, { owner: 'unknown' })
  const id = parseSliverId(sliverId)
  const sliver = id === null ? null : await registry.sliver(sliverId)
  if (id === null || sliver === null) {
    throw new LabError('LAB_NOT_FOUND', { kind: 'sliver', id: sliverId.slice(0, 64) })
  }
  permit(principal, right, { owner: { groupId: await registry.sliceGroup(id.sliceId) } })
  if (sliver.state !== 'started') {
    throw new LabError('LAB_SLIVER_NOT_STARTED', { sliver: sliverId, state: sliver.state })
  }
  return sliver
}
