import { LabError, resourceUnits } from '@community-lab/contract'
import type { ReportedResource } from '../../report/report.ts'
import { ownDiskMiB } from '../../report/resources.ts'
import { findShortage } from '../domain/admission.ts'
import type { Limits } from '../domain/limits.ts'
import type { SliverParts } from './parts.ts'

/** What there is for slivers in all. */
export interface Offer {
  readonly resources: readonly ReportedResource[]
  /** The disk that templates of slivers take beyond what the node keeps for templates, in MiB. */
  readonly excessTemplatesMiB: number
}

/** Read what there is for slivers now. */
export async function readOffer({ node, records, templates }: SliverParts): Promise<Offer> {
  const used = new Set(records.all().map(({ templateSha256 }) => templateSha256))
  const [resources, templatesMiB] = await Promise.all([
    node.readOffer(),
    templates.measureMiB((sha256) => used.has(sha256)),
  ])
  return { resources, excessTemplatesMiB: Math.max(0, templatesMiB - ownDiskMiB.templates) }
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
 * The disk that has been promised and is not taken yet, in MiB: to samples, and to slivers whose disks are not made. Whatever takes more of the disk must leave
 * so much of it free.
 * @param without - a sliver that takes what it was promised now.
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
