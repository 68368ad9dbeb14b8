import { LabError, maxSliversPerNode, type SliverTarget } from '@community-lab/contract'
import { freeNumber } from '../domain/admission.ts'
import { computeInterfaces } from '../domain/interfaces.ts'
import { limitsOf, type Limits } from '../domain/limits.ts'
import { requirePlatform, type SliverParts } from './parts.ts'
import { promisedDiskMiB, readOffer, requireRoom, type Offer } from './room.ts'
import { refuseUnreadable } from './unreadable.ts'
import { withTemplate } from './with-template.ts'

/**
 * Fetch a sliver's template, and reserve its number, folder, disk and addresses. Its configuration is noted, and stays until it is removed. Idempotent.
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM, LAB_SLIVER_NO_RUNTIME, LAB_SLIVER_INTERFACE_UNKNOWN, LAB_SLIVER_UNREADABLE; the errors of fetching a template.
 */
export async function allocate(
  parts: SliverParts,
  target: SliverTarget,
  { sliverMacPrefix, signal }: { readonly sliverMacPrefix: number; readonly signal: AbortSignal },
): Promise<void> {
  const { node, records } = parts
  const { id } = target
  requirePlatform(parts, id)
  refuseUnreadable(parts, id)
  // An earlier promise may be only in memory, because the disk was full.
  if (records.get(id) !== undefined) return records.saveAgain(id)
  const limits = limitsOf(target.resources)
  // Nothing is downloaded for a sliver that has no room.
  requirePlace(parts, id, { limits, offer: await readOffer(parts, target.data) })
  const ownMiB = limits.disk + node.samplesDisk.perSliverMiB
  await withTemplate(parts, target.template, {
    keptMiB: () => promisedDiskMiB(parts) + ownMiB,
    signal,
    async task() {
      const offer = await readOffer(parts, target.data)
      // From here to `save` nothing is awaited, so that no two slivers are promised the same memory, disk or number.
      const nr = requirePlace(parts, id, { limits, offer })
      await records.save({
        id,
        nr,
        stage: 'allocated',
        sliceInstanceSn: target.slice_instance_sn,
        instanceSn: target.instance_sn,
        limits,
        templateSha256: null,
        sshAuthorizedKeys: target.ssh_authorized_keys,
        interfaces: computeInterfaces(
          { ...node, macPrefix: sliverMacPrefix },
          { id, nr, sliceId: target.slice_id, interfaces: target.interfaces },
        ),
        sshHostKey: null,
        startedOn: null,
        process: null,
        // Keys change while the sliver is there, and are noted above.
        configuration: { ...target, ssh_authorized_keys: [] },
        ended: null,
      })
    },
  })
}

/** Return a free number for a sliver that has room. This does not wait for anything. @throws {@link LabError} LAB_SLIVER_NO_ROOM. */
function requirePlace(
  parts: SliverParts,
  id: string,
  needs: { readonly limits: Limits; readonly offer: Offer },
): number {
  const { node, records, unreadable } = parts
  requireRoom(parts, id, needs)
  const others = [...records.all(), ...unreadable.values()]
  const nr = freeNumber(new Set(others.flatMap((other) => other.nr ?? [])), maxSliversPerNode)
  const most = node.mostSlivers?.() ?? maxSliversPerNode
  if (nr !== null && others.length < most) return nr
  const slivers = { resource: 'slivers', asked: 1, unit: 'sliver', free: 0 }
  throw new LabError('LAB_SLIVER_NO_ROOM', { sliver: id, ...slivers })
}
