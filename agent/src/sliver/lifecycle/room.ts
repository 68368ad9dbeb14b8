import { LabError, resourceUnits, type SliverTarget } from '@community-lab/contract'
import type { ReportedResource } from '../../report/report.ts'
import { ownDiskMiB } from '../../report/resources.ts'
import { findShortage } from '../domain/admission.ts'
import type { Limits } from '../domain/limits.ts'
import { dataOf, templateOf } from '../store/record.ts'
import type { SliverParts } from './parts.ts'

/** The resources of the node for all slivers together. */
export interface Offer {
  readonly resources: readonly ReportedResource[]
  /** The disk space by which the templates and data archives of slivers exceed what the node reserves for templates, in MiB. */
  readonly excessTemplatesMiB: number
}

/**
 * Read the resources that the node offers now.
 * @param coming - the data archive of a sliver that is about to be allocated
 */
export async function readOffer(
  { node, records, templates }: SliverParts,
  coming: SliverTarget['data'] = null,
): Promise<Offer> {
  const used = new Set(records.all().map(templateOf))
  const [resources, templatesMiB] = await Promise.all([
    node.readOffer(),
    templates.measureMiB((sha256) => used.has(sha256)),
  ])
  // Slivers with the same archive share it. It counts also before it is downloaded.
  const data = [...records.all().map(dataOf), coming].flatMap((one) => one ?? [])
  const sizes = new Map(data.map((one) => [one.sha256, one.size_bytes]))
  const dataMiB = [...sizes.values()].reduce((sum, bytes) => sum + Math.ceil(bytes / 2 ** 20), 0)
  const excessTemplatesMiB = Math.max(0, templatesMiB + dataMiB - ownDiskMiB.templates)
  return { resources, excessTemplatesMiB }
}

/**
 * Check that a sliver can have these limits beside the limits of the others. This does not wait for anything. A caller that saves the record before it waits for anything
 * else is sure that no other sliver gets the same resources.
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM.
 */
export function requireRoom(
  { node, records, unreadable }: SliverParts,
  sliver: string,
  { limits, offer }: { readonly limits: Limits; readonly offer: Offer },
): void {
  const others = [...records.all(), ...unreadable.values()].filter(({ id }) => id !== sliver)
  const shortage = findShortage(limits, {
    offered: offer.resources,
    taken: others.map((other) => other.limits),
    samplesMiB: node.samplesDisk.perSliverMiB,
    excessTemplatesMiB: offer.excessTemplatesMiB,
  })
  if (shortage === null) return
  throw new LabError('LAB_SLIVER_NO_ROOM', {
    sliver,
    unit: resourceUnits[shortage.resource],
    ...shortage,
  })
}

/**
 * Return the disk space that is promised but not used yet, in MiB: for samples, and for slivers whose disks are not made. Any other use of the disk must leave
 * it free.
 * @param without - a sliver that is about to use what it was promised.
 */
export function promisedDiskMiB(
  { node, records, unreadable }: SliverParts,
  without: string | null = null,
): number {
  const { spoolMiB, perSliverMiB } = node.samplesDisk
  const slivers = records.all()
  const unmade = slivers.filter(({ id, stage }) => stage === 'allocated' && id !== without)
  return (
    spoolMiB +
    (slivers.length + unreadable.size) * perSliverMiB +
    unmade.reduce((sum, { limits }) => sum + limits.disk, 0)
  )
}
