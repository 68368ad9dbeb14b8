import { dirname } from 'node:path'
import { LabError } from '@community-lab/contract'
import { removeTrees } from '../store/records.ts'
import { guardSpace } from '../template/space.ts'
import type { UnpackOptions } from './unpack.ts'

/** Options of {@link fillFrom}. */
export interface FillOptions extends Pick<UnpackOptions, 'template' | 'ids' | 'signal'> {
  /** The size of the sliver's disk. */
  readonly sizeMiB: number
  /** The disk space that must stay free because it is promised to others, in MiB. */
  readonly keptMiB: () => number
}

/** The file system of a sliver's disk has an inode for each 8 KiB (see `host/disk.ts`). */
const entriesPerMiB = 128
/** The longest time for unpacking, in milliseconds. */
const withinMs = 600_000

/**
 * Return a function that unpacks a data archive into the upper folder of a sliver, within what the sliver's disk can have and in bounded time. When it fails,
 * it leaves nothing.
 */
export function fillFrom(
  archive: string,
  { sizeMiB, keptMiB, signal, ...options }: FillOptions,
): (upper: string) => Promise<void> {
  return async (upper) => {
    // Few slivers have data, so the agent loads this only when it is needed.
    const { unpackData } = await import('./unpack.ts')
    const tooFull = (kept: number): LabError => new LabError('LAB_DATA_NO_ROOM', { keptMiB: kept })
    const late = AbortSignal.timeout(withinMs)
    try {
      using space = await guardSpace(dirname(upper), { tooFull, keptMiB, signal })
      const most = { mib: sizeMiB, entries: sizeMiB * entriesPerMiB }
      const either = AbortSignal.any([space.signal, late])
      await unpackData(archive, { ...options, upper, most, signal: either })
    } catch (error) {
      await removeTrees([upper])
      if (error !== late.reason || !late.aborted) throw error
      const reason = `it takes longer than ${withinMs / 1000} s`
      throw new LabError('LAB_DATA_INVALID', { entry: null, reason })
    }
  }
}
