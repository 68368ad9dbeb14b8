import { describeHold, LabError, parseSliverId, type Sliver } from '@community-lab/contract'
import { describeRefusal, permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
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
  registry: Pick<Registry, 'sliver' | 'node' | 'sliceGroup' | 'groupContact'>,
  { sliverId, principal }: TunnelRequest,
): Promise<Sliver> {
  if (principal.role === 'anonymous') permit(principal, right, { owner: 'unknown' })
  const id = parseSliverId(sliverId)
  const sliver = id === null ? null : await registry.sliver(sliverId)
  if (id === null || sliver === null) {
    throw new LabError('LAB_NOT_FOUND', { kind: 'sliver', id: sliverId.slice(0, 64) })
  }
  const groupId = await registry.sliceGroup(id.sliceId)
  const refusal = findRefusal(right, principal, { groupId })
  if (refusal !== null)
    throw describeRefusal(refusal, principal, {
      name: right,
      group: await registry.groupContact(groupId),
    })
  if (sliver.state !== 'started') {
    const node = await registry.node(id.nodeId)
    const hold = node === null ? null : describeHold(node)
    throw new LabError('LAB_SLIVER_NOT_STARTED', {
      sliver: sliverId,
      state: sliver.state,
      ...(hold === null ? {} : { node: hold }),
    })
  }
  return sliver
}
