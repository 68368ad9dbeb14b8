import type { SliverTarget } from '@community-lab/contract'
import { dataOf } from '../store/record.ts'
import type { SliverParts } from './parts.ts'
import { promisedDiskMiB } from './room.ts'

/** Options of {@link withData}. */
export interface DataUse {
  readonly signal: AbortSignal
  /** Called with the path of the archive; null: the sliver has none. */
  readonly task: (archive: string | null) => Promise<void>
}

/**
 * Run a task with the data archive of a sliver. It is downloaded if it is not here. Archives that no sliver has are removed before, because it may need their
 * space.
 * @throws {@link LabError} the errors of downloading an archive.
 */
export async function withData(
  parts: SliverParts,
  data: SliverTarget['data'] | null,
  { signal, task }: DataUse,
): Promise<void> {
  await pruneData(parts)
  if (data == null) return task(null)
  await parts.archives.use(data, { keptMiB: () => promisedDiskMiB(parts), signal, task })
}

/** Remove the data archives that no sliver has. */
export async function pruneData({ archives, records }: SliverParts): Promise<void> {
  // A sliver whose record cannot be read may have any.
  if (records.unreadable.size > 0) return
  await archives.prune((sha256) => records.all().some((one) => dataOf(one)?.sha256 === sha256))
}
