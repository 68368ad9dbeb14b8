import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { archiveKindOf, LabError, maxDataBytes, messageOf } from '@community-lab/contract'
import { localPath } from './local-path.ts'
import { packFiles } from './pack.ts'

/** The data of a slice: a folder, an archive, or files by their path in the sliver. */
export type SliceData = string | Uint8Array | Readonly<Record<string, string | Uint8Array>>

/** A packed data archive. */
export interface PackedData {
  readonly bytes: Uint8Array
  readonly sha256: string
}

/** The time of all files, so that an archive depends on their content alone. Source: reproducible builds; zip files know no earlier time. */
const changedAt = new Date('1980-01-01T00:00:00Z')

/**
 * Pack data. A folder becomes a tar file of its content that is not compressed: the same content always gives the same bytes, whatever packs it. An archive is
 * taken as it is.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID.
 */
export async function packData(data: SliceData): Promise<PackedData> {
  const bytes = await readBytes(data)
  if (bytes.length > maxDataBytes) throw refuse(`${bytes.length} bytes`)
  if (archiveKindOf(bytes) === null) throw refuse(describeData(data))
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function describeData(data: SliceData): string {
  if (data instanceof Uint8Array) return 'other bytes'
  if (typeof data !== 'string') return 'no file'
  return `${JSON.stringify(data)}, which is another file or a folder without a file`
}

async function readBytes(data: SliceData): Promise<Uint8Array> {
  if (data instanceof Uint8Array) return data
  if (typeof data !== 'string') return packFiles(data, { changedAt })
  const local = localPath(data)
  const isFolder = await stat(local).then(
    (found) => found.isDirectory(),
    (cause: unknown) => {
      throw refuse(`${JSON.stringify(local)} (${messageOf(cause)})`)
    },
  )
  return isFolder ? packFiles(data, { changedAt }) : readStill(local)
}

/** Read an archive that does not change meanwhile. */
async function readStill(file: string): Promise<Uint8Array> {
  await using handle = await open(file)
  const before = await handle.stat({ bigint: true })
  if (before.size > maxDataBytes) throw refuse(`${JSON.stringify(file)} of ${before.size} bytes`)
  const bytes = await handle.readFile()
  const after = await handle.stat({ bigint: true })
  if (before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs) return bytes
  throw refuse(`${JSON.stringify(file)}, which changed while it was read`)
}

function refuse(found: string): LabError {
  return new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'data',
    found,
    expected:
      'a folder, an archive (.tar, .tar.gz, .tar.zst) of at most 1 GiB, its bytes, or files by their path',
  })
}
