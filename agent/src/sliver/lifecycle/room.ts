import { LabError, resourceUnits } from '@community-lab/contract'
import type { ReportedResource } from '../../report/report.ts'
import { findShortage } from '../domain/admission.ts'
import type { Limits } from '../domain/limits.ts'
import type { SliverParts } from './parts.ts'

/**
 * See that a sliver may be given so much, beside what the others may use.
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM.
 */
export function requireRoom(
  { node, records }: SliverParts,
  sliver: string,
  { limits, offered }: { readonly limits: Limits; readonly offered: readonly ReportedResource[] },
): void {
  const others = records.all().filter(({ id }) => id !== sliver)
  const taken = others.map((other) => other.limits)
  const samplesMiB = node.samplesDisk.perSliverMiB
  const shortage = findShortage(limits, { offered, taken, samplesMiB })
  if (shortage === null) return
  throw new LabError('LAB_SLIVER_NO_ROOM', {
    sliver,
    unit: resourceUnits[shortage.resource],
    ...shortage,
  })
}

/** The disk that has been promised to what is measured, in MiB. It must stay free when a sliver is given a disk: templates and logs have taken theirs already. */
export function promisedToSamplesMiB({ node, records }: SliverParts): number {
  const { spoolMiB, perSliverMiB } = node.samplesDisk
  return spoolMiB + records.all().length * perSliverMiB
}
