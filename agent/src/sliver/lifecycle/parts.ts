import { LabError } from '@community-lab/contract'
import type { NodeProblems } from '../../report/problems.ts'
import type { ReportedResource } from '../../report/report.ts'
import { explainEnd } from '../container.ts'
import type { Host } from '../host/host.ts'
import type { FoundPlatform, Platform } from '../platform.ts'
import type { SliverRecord } from '../store/record.ts'
import type { Records } from '../store/records.ts'
import type { Templates } from '../template/templates.ts'
import type { UnreadableFolder } from './unreadable-folder.ts'

/** Whose slivers these are, and what happens around their lives. */
export interface NodeOptions {
  readonly nodeId: number
  readonly nodeName: string
  /** The testbed's management /48. */
  readonly mgmtPrefix: string
  /** The node's /64 in the community network; null: slivers get no public address. */
  readonly publicPrefix: string | null
  /** What the node's owner offers to slivers, now. */
  readonly readOffer: () => Promise<readonly ReportedResource[]>
  /** The disk that what is measured may take, in MiB: in all, and of each sliver until it is there. */
  readonly samplesDisk: { readonly spoolMiB: number; readonly perSliverMiB: number }
  /** Called before a sliver is started, with the folder that it sees at `/run/community-lab`. */
  readonly prepareMeasuring: (id: string, measureDir: string) => Promise<void>
  /** Called when a sliver has ended for good, before its record is removed. When it fails, the removal fails too and is tried again. */
  readonly endMeasuring: (id: string) => Promise<void>
  /** What is wrong with the node: records that cannot be read are told there. */
  readonly problems: NodeProblems
  /** Told when a sliver that ended by itself cannot be cleaned up after; that is tried again before it is started. */
  readonly onProblem: (id: string, error: unknown) => void
}

/** What the steps of a sliver's life act on. */
export interface SliverParts {
  readonly node: NodeOptions
  readonly records: Records
  readonly templates: Templates
  readonly host: Host
  /** What slivers are made with, as it was last found. */
  readonly found: FoundPlatform
  /** What this agent protects its host with in each container that it creates, as `protectionSha256` identifies it. */
  readonly protectionSha256: string
  /** The folder that a sliver sees at `/run/community-lab`. */
  readonly measureDir: (id: string) => string
  /** Slivers whose records cannot be read. */
  readonly unreadable: ReadonlyMap<string, UnreadableFolder>
  /** Slivers of which processes, links or cgroups may be left, because ending them has failed or was not tried yet. */
  readonly unclean: Set<string>
}

/** What slivers are made with. @throws {@link LabError} LAB_SLIVER_NO_RUNTIME where they cannot be made. */
export function requirePlatform({ found }: SliverParts, sliver: string): Platform {
  if (found.platform !== null) return found.platform
  const reason = found.capabilities.lacks[0] ?? 'it has no OCI runtime'
  throw new LabError('LAB_SLIVER_NO_RUNTIME', { sliver, reason })
}

/** The record of a sliver that has come so far. @throws {@link LabError} LAB_SLIVER_STAGE when it has not. */
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

/** Why a sliver has ended. Its cgroups must still be there. */
export function reasonOfEnd({ host }: SliverParts, record: SliverRecord): Promise<string> {
  return explainEnd(host, record)
}
