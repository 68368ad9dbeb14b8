import { mkdir, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  archiveHeadBytes,
  archiveKindOf,
  LabError,
  type DataArchive,
} from '@community-lab/contract'
import { createBlobs } from '../upload/blobs.ts'
import type { Uploads } from '../upload/uploads.ts'
import { uploadWhole } from '../upload/whole.ts'
import { repeat } from './repeat.ts'
import type { RegistryStore } from './store.ts'
import { addArchive, makeRoom, readArchives, removeUnnamedArchives } from './write/data-archives.ts'

/** An archive that is being sent. */
export interface IncomingArchive {
  readonly groupId: number
  /** The name of the group, for errors. */
  readonly group: string
  /** The SHA-256 that the sender has given; null: none. */
  readonly sha256: string | null
  /** The size that the sender has given, in bytes. */
  readonly lengthBytes: number
}

/** The data archives on the server's disk. Each is named by its SHA-256, so the same content is kept once. */
export interface DataFiles extends AsyncDisposable {
  /**
   * Write an archive to the disk, completely or not at all, and add it to those of its group. `mayStay` is asked once it is there, because sending takes long.
   *
   * @throws {@link LabError} LAB_DATA_QUOTA, LAB_REQUEST_MEDIA_TYPE; the errors of {@link Uploads}; what `mayStay` throws.
   */
  take(body: Readable, archive: IncomingArchive, mayStay: () => Promise<void>): Promise<DataArchive>
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
  readonly uploads: Uploads
  readonly onError: (error: unknown) => void
}

/** The time between two removals of archives that nobody names, in milliseconds. */
const removeEveryMs = 60_000

/** Open the folder of the data archives. */
export async function openDataFiles(options: DataFilesOptions): Promise<DataFiles> {
  const { dir, registry, uploads, onError } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const blobs = createBlobs({ dir, extension: '', readUsed: () => readArchives(registry.db) })
  const removeUnnamed = async (): Promise<void> => {
    await removeUnnamedArchives(registry.db)
    await blobs.removeUnused()
  }
  const end = repeat(removeEveryMs, onError, removeUnnamed)
  return {
    file: (sha256) => blobs.path(sha256),
    removeUnnamed,
    take(body, { groupId, group, sha256: announced, lengthBytes }, mayStay) {
      const request = {
        target: `the data of group ${group}`,
        // Images of templates have bounds of their own.
        owner: `data of group ${groupId}`,
        ownerInWords: `group ${group}`,
        lengthBytes,
        sha256: announced,
        requireRoom: (promisedBytes: number) =>
          makeRoom(registry.db, {
            groupId,
            group,
            sha256: announced ?? '',
            sizeBytes: lengthBytes + promisedBytes,
          }),
      }
      return uploadWhole(uploads, request, {
        body,
        async use({ file, sha256, sizeBytes }) {
          await mayStay()
          await requireArchive(file)
          return blobs.keep(file, sha256, () =>
            addArchive(registry, { groupId, sha256, sizeBytes }),
          )
        },
      })
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
