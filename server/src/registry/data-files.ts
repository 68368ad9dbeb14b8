import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { createQueue, LabError, maxDataBytes, type DataArchive } from '@community-lab/contract'
import { repeat } from './repeat.ts'
import type { RegistryStore } from './store.ts'
import { addArchive, makeRoom, removeUnnamedArchives } from './write/data-archives.ts'

/** An archive that is being sent. */
export interface IncomingArchive {
  readonly groupId: number
  /** The name of the group, for errors. */
  readonly group: string
  /** The SHA-256 that the sender has given; null: none. */
  readonly sha256: string | null
  /** The size that the sender has given; null: none. */
  readonly sizeBytes: number | null
}

/** The data archives on the server's disk. Each is named by its SHA-256, so the same content is kept once. */
export interface DataFiles extends AsyncDisposable {
  /**
   * Write an archive to the disk, completely or not at all, and add it to those of its group. `mayStay` is asked once it is there, because sending takes long.
   *
   * @throws {@link LabError} LAB_DATA_UPLOADING, LAB_DATA_QUOTA, LAB_DATA_CHECKSUM, LAB_DATA_SERVER_FULL, LAB_REQUEST_TOO_LARGE, LAB_REQUEST_MEDIA_TYPE; what
   * `mayStay` throws.
   */
  take(
    body: AsyncIterable<Uint8Array>,
    archive: IncomingArchive,
    mayStay: () => Promise<void>,
  ): Promise<DataArchive>
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
  /** The space on the disk that stays free, in MiB. */
  readonly minFreeMiB: number
  readonly onError: (error: unknown) => void
}

/** The time between two removals of archives that nobody names, in milliseconds. */
const removeEveryMs = 60_000
const incoming = 'incoming-'
const mib = 1024 ** 2

/** Open the folder of the data archives. What an earlier server was receiving is removed. */
export async function openDataFiles(options: DataFilesOptions): Promise<DataFiles> {
  const { dir, registry, onError } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  for (const name of await readdir(dir))
    if (name.startsWith(incoming)) await rm(join(dir, name), { recursive: true, force: true })
  // One at a time, a file is not removed before its archive is in the database.
  const inTurn = createQueue()
  /** The groups that are uploading. One at a time, they cannot fill the disk beyond what they may have. */
  const uploading = new Set<number>()
  const fileOf = (sha256: string): string => join(dir, sha256)

  async function receive(
    body: AsyncIterable<Uint8Array>,
    archive: IncomingArchive,
    mayStay: () => Promise<void>,
  ): Promise<DataArchive> {
    const { groupId, group, sha256: expected, sizeBytes: announced } = archive
    if (announced !== null && announced > maxDataBytes)
      throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxDataBytes })
    await makeRoom(registry.db, {
      groupId,
      group,
      sha256: expected ?? '',
      sizeBytes: announced ?? 1,
    })
    await using stack = new AsyncDisposableStack()
    const temporary = await mkdtemp(join(dir, incoming))
    stack.defer(() => rm(temporary, { recursive: true, force: true }))
    const written = join(temporary, 'archive')
    const { sha256, sizeBytes } = await writeArchive(written, body, options)
    if (expected !== null && expected !== sha256)
      throw new LabError('LAB_DATA_CHECKSUM', { expected, found: sha256 })
    return await inTurn(async () => {
      await mayStay()
      // A file without an archive is removed later; an archive without a file would be missing for ever.
      await rename(written, fileOf(sha256))
      return addArchive(registry, { groupId, sha256, sizeBytes })
    })
  }

  async function removeUnnamed(): Promise<void> {
    await inTurn(async () => {
      const left = await removeUnnamedArchives(registry.db)
      for (const name of await readdir(dir))
        if (!name.startsWith(incoming) && !left.has(name))
          await rm(join(dir, name), { force: true })
    })
  }

  const end = repeat(removeEveryMs, onError, removeUnnamed)
  return {
    file: fileOf,
    removeUnnamed,
    async take(body, archive, mayStay) {
      const { groupId, group } = archive
      if (uploading.has(groupId)) throw new LabError('LAB_DATA_UPLOADING', { group })
      uploading.add(groupId)
      try {
        return await receive(body, archive, mayStay)
      } finally {
        uploading.delete(groupId)
      }
    },
    [Symbol.asyncDispose]: end,
  }
}

/** The space on the disk is checked again after so many bytes. */
const checkEveryBytes = 16 * mib

async function writeArchive(
  file: string,
  body: AsyncIterable<Uint8Array>,
  { dir, minFreeMiB }: DataFilesOptions,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  await using handle = await open(file, 'wx', 0o600)
  const hash = createHash('sha256')
  let sizeBytes = 0
  let checkedBytes = -checkEveryBytes
  let head = Buffer.alloc(0)
  for await (const chunk of body) {
    // The network may cut the body anywhere.
    if (head.length < headBytes) {
      head = Buffer.concat([head, chunk.subarray(0, headBytes - head.length)])
      if (head.length === headBytes && !isArchive(head)) throw noArchive()
    }
    sizeBytes += chunk.length
    if (sizeBytes > maxDataBytes)
      throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxDataBytes })
    if (sizeBytes - checkedBytes > checkEveryBytes) {
      await requireSpace(dir, minFreeMiB)
      checkedBytes = sizeBytes
    }
    hash.update(chunk)
    await handle.writeFile(chunk)
  }
  if (!isArchive(head)) throw noArchive()
  await handle.sync()
  return { sha256: hash.digest('hex'), sizeBytes }
}

/** @throws {@link LabError} LAB_DATA_SERVER_FULL. */
async function requireSpace(dir: string, keptMiB: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const freeMiB = Math.floor((bavail * bsize) / mib)
  if (freeMiB < keptMiB) throw new LabError('LAB_DATA_SERVER_FULL', { freeMiB, keptMiB })
}

/** How many bytes tell the kind of a file: those up to the end of the mark of tar. */
const headBytes = 262

/** Tell whether a file begins like gzip (RFC 1952, 2.3.1), zstd (RFC 8878, 3.1.1) or a tar file (POSIX, pax: `ustar` at 257). */
function isArchive(head: Buffer): boolean {
  const isCompressed = ['1f8b', '28b52ffd'].some((mark) => head.toString('hex').startsWith(mark))
  return isCompressed || head.toString('latin1', 257, 262) === 'ustar'
}

function noArchive(): LabError {
  return new LabError('LAB_REQUEST_MEDIA_TYPE', {
    found: 'no archive',
    expected: 'a tar file, plain or compressed by gzip or zstd (.tar, .tar.gz, .tar.zst)',
  })
}
