import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import type { NodeProblems } from '../../report/problems.ts'
import type { ReportedResource } from '../../report/report.ts'
import { explainEnd } from '../container.ts'
import type { Archives } from '../data/archives.ts'
import type { Host } from '../host/host.ts'
import type { FoundPlatform, Platform } from '../platform.ts'
import type { SliverRecord } from '../store/record.ts'
import type { Records } from '../store/records.ts'
import type { Templates } from '../template/templates.ts'
import type { UnreadableFolder } from './unreadable-folder.ts'

/** The facts of the node, and the functions that are called during a sliver's life. */
export interface NodeOptions {
  readonly nodeId: number
  readonly nodeName: string
  /** The testbed's management prefix, a /48. */
  readonly mgmtPrefix: string
  /** The node's /64 in the community network; null: slivers get no public address. */
  readonly publicPrefix: string | null
  /** Read the resources that the node's owner offers to slivers now. */
  readonly readOffer: () => Promise<readonly ReportedResource[]>
  /** Return the most slivers that the node lends now; default: as many as there are numbers. */
  readonly mostSlivers?: () => number
  /** The most disk space of samples, in MiB: in all, and for each sliver before it exists. */
  readonly samplesDisk: { readonly spoolMiB: number; readonly perSliverMiB: number }
  /** Called before a sliver is started, with the folder that it sees as `/run/community-lab`. */
  readonly prepareMeasuring: (id: string, measureDir: string) => Promise<void>
  /** Called when a sliver has ended for good, before its record is removed. When it fails, the removal fails too and is repeated. */
  readonly endMeasuring: (id: string) => Promise<void>
  /** The problems of the node. Records that cannot be read are reported there. */
  readonly problems: NodeProblems
  /** Called when cleaning up after an ended sliver has failed. The cleanup is repeated before the sliver is started again. */
  readonly onProblem: (id: string, error: unknown) => void
}

/** The objects that the steps of a sliver's life use. */
export interface SliverParts {
  readonly node: NodeOptions
  readonly records: Records
  readonly templates: Templates
  readonly archives: Archives
  readonly host: Host
  /** The means for making slivers, from the last probe. */
  readonly found: FoundPlatform
  /** The identity of the protection that this agent gives to new containers, from `protectionSha256`. */
  readonly protectionSha256: string
  /** Return the folder that a sliver sees as `/run/community-lab`. */
  readonly measureDir: (id: string) => string
  /** Slivers whose records cannot be read. */
  readonly unreadable: ReadonlyMap<string, UnreadableFolder>
  /** Slivers whose processes, links or cgroups may still exist, because ending them has failed or was not tried yet. */
  readonly unclean: Set<string>
}

/** Return the means for making slivers. @throws {@link LabError} LAB_SLIVER_NO_RUNTIME when slivers cannot be made. */
export function requirePlatform({ found }: SliverParts, sliver: string): Platform {
  if (found.platform !== null) return found.platform
  const reason = found.capabilities.lacks[0] ?? 'it has no OCI runtime'
  throw new LabError('LAB_SLIVER_NO_RUNTIME', { sliver, reason })
}

/** Return the record of a sliver that has reached a stage. @throws {@link LabError} LAB_SLIVER_STAGE when it has not. */
export function requireRecord(
  { records }: SliverParts,
  id: string,
  needs: 'allocated' | 'deployed',
): SliverRecord {
  const record = records.get(id)
  if (record !== undefined && (needs === 'allocated' || record.stage !== 'allocated')) return record
  const stage = record?.stage ?? 'registered'
  throw new LabError('LAB_SLIVER_STAGE', { sliver: id, stage, needs })
}

/** Explain why a sliver has ended. Its cgroups must still exist. */
export function reasonOfEnd({ host }: SliverParts, record: SliverRecord): Promise<string> {
  return explainEnd(host, record)
}

/** Return the path of the file that exists while a sliver is being ended, from before its programs get SIGTERM. `folder` is the sliver's. */
export function endingFile(folder: string): string {
  return join(folder, 'ending')
}
