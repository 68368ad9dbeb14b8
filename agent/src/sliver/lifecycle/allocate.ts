import { LabError, maxSliversPerNode, type SliverTarget } from '@community-lab/contract'
import { freeNumber } from '../domain/admission.ts'
import { computeInterfaces } from '../domain/interfaces.ts'
import { limitsOf } from '../domain/limits.ts'
import { requirePlatform, type SliverParts } from './parts.ts'
import { readOffer, requireRoom } from './room.ts'
import { refuseUnreadable } from './unreadable.ts'

/**
 * Reserve a sliver's number, folder, disk and addresses. Idempotent.
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM, LAB_SLIVER_NO_RUNTIME, LAB_SLIVER_INTERFACE_UNKNOWN, LAB_SLIVER_UNREADABLE.
 */
export async function allocate(
  parts: SliverParts,
  target: SliverTarget,
  sliverMacPrefix: number,
): Promise<void> {
  const { node, records } = parts
  const { id } = target
  requirePlatform(parts, id)
  refuseUnreadable(parts, id)
  const limits = limitsOf(target.resources)
  const offer = await readOffer(parts)
  // From here to `save` nothing is awaited, so that no two slivers are promised the same memory, disk or number. An earlier promise may be only in memory,
  // because the disk was full.
  if (records.get(id) !== undefined) return records.saveAgain(id)
  requireRoom(parts, id, { limits, offer })
  const others = records.all()
  const taken = [...others, ...parts.unreadable.values()].flatMap((other) => other.nr ?? [])
  const nr = freeNumber(new Set(taken), maxSliversPerNode)
  const most = node.mostSlivers?.() ?? maxSliversPerNode
  if (nr === null || others.length + parts.unreadable.size >= most) {
    const slivers = { resource: 'slivers', asked: 1, unit: 'sliver', free: 0 }
    throw new LabError('LAB_SLIVER_NO_ROOM', { sliver: id, ...slivers })
  }
  const addresses = { ...node, macPrefix: sliverMacPrefix }
  await records.save({
    id,
    nr,
    stage: 'allocated',
    sliceInstanceSn: target.slice_instance_sn,
    instanceSn: target.instance_sn,
    limits,
    templateSha256: null,
    sshAuthorizedKeys: target.ssh_authorized_keys,
    interfaces: computeInterfaces(addresses, {
      id,
      nr,
      sliceId: target.slice_id,
      interfaces: target.interfaces,
    }),
    sshHostKey: null,
    startedOn: null,
    process: null,
    ended: null,
  })
}
