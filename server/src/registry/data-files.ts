import { mkdir, open } from 'node:fs/promises'
import {
  archiveHeadBytes,
  archiveKindOf,
  LabError,
  type DataArchive,
} from '@community-lab/contract'
import { createBlobs } from '../upload/blobs.ts'
import type { UploadedFile, UploadRequest } from '../upload/uploads.ts'
import { repeat } from './repeat.ts'
import type { RegistryStore } from './store.ts'
import { addArchive, makeRoom, readArchives, removeUnnamedArchives } from './write/data-archives.ts'

/** The data archives on the server's disk. Each is named by its SHA-256, so the same content is kept once. */
export interface DataFiles extends AsyncDisposable {
  /** Refuse an archive for which a group has no room, when its unfinished uploads have so many bytes. @throws {@link LabError} LAB_DATA_QUOTA. */
  requireRoom(
    group: { readonly id: number; readonly name: string },
    archive: Pick<UploadRequest, 'lengthBytes' | 'sha256'>,
    promisedBytes: number,
  ): Promise<void>
  /**
   * Add an archive that was uploaded to those of a group, completely or not at all.
   *
   * @throws {@link LabError} LAB_DATA_QUOTA, LAB_REQUEST_MEDIA_TYPE, LAB_NOT_FOUND.
   */
  add(uploaded: UploadedFile, groupId: number): Promise<DataArchive>
  /** Return the path of an archive. */
  file(sha256: string): string
  /** Remove the archives that nobody names any more, and files without an archive. */
  removeUnnamed(): Promise<void>
}

/** Options of {@link openDataFiles}. */
export interface DataFilesOptions {
  /** The folder, for them alone. */
  readonly dir: string
  readonly registry: RegistryStore
  readonly onError: (error: unknown) => void
}

/** The time between two removals of archives that nobody names, in milliseconds. */
const removeEveryMs = 60_000

/** Open the folder of the data archives. */
export async function openDataFiles(options: DataFilesOptions): Promise<DataFiles> {
  const { dir, registry, onError } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const blobs = createBlobs({ dir, extension: '', readUsed: () => readArchives(registry.db) })
  await blobs.removeLeftovers()
  const removeUnnamed = async (): Promise<void> => {
    await removeUnnamedArchives(registry.db)
    await blobs.removeUnused()
  }
  const end = repeat(removeEveryMs, onError, removeUnnamed)
  return {
    file: (sha256) => blobs.path(sha256),
    removeUnnamed,
    requireRoom: ({ id: groupId, name: group }, { sha256, lengthBytes }, promisedBytes) =>
      makeRoom(registry.db, {
        groupId,
        group,
        sha256: sha256 ?? '',
        sizeBytes: lengthBytes + promisedBytes,
      }),
    async add({ file, sha256, sizeBytes }, groupId) {
      await requireArchive(file)
      return blobs.keep(file, sha256, () => addArchive(registry, { groupId, sha256, sizeBytes }))
    },
    [Symbol.asyncDispose]: end,
  }
}

/** @throws {@link LabError} LAB_REQUEST_MEDIA_TYPE. */
async function requireArchive(path: string): Promise<void> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(archiveHeadBytes), { position: 0 })
  if (archiveKindOf(buffer.subarray(0, bytesRead)) !== null) return
  throw new LabError('LAB_REQUEST_MEDIA_TYPE', {
    found: 'no archive',
    expected: 'a tar file, plain or compressed by gzip or zstd (.tar, .tar.gz, .tar.zst)',
  })
}
