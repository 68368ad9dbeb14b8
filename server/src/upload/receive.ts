import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { LabError } from '@community-lab/contract'

/** An upload that bytes come to. */
export interface Receiving {
  readonly id: string
  readonly lengthBytes: number
  /** The number of bytes that are here. */
  offsetBytes: number
  /** The time of the last byte, in milliseconds since the epoch. */
  lastMs: number
  /** The SHA-256 of the first bytes, as they came; null: some came before the start of the server. */
  hash: { readonly hash: Hash; bytes: number } | null
}

/** Where the bytes come from and go to. */
export interface ReceiveOptions {
  readonly file: string
  /** What comes belongs at this place of the file. What is behind it is replaced. */
  readonly offsetBytes: number
  readonly body: Readable
  /** Throws when the disk is too full. */
  readonly requireSpace: () => Promise<void>
  /** The longest time for which its sender may send nothing, in milliseconds. */
  readonly silenceMs: number
  readonly nowMs: () => number
}

/** The free space of the disk is looked at each time that so many bytes have come. */
const lookEveryBytes = 64 * 1024 ** 2

/**
 * Write what a request sends. When it returns or throws, what has come is on the disk and counted.
 *
 * @throws {@link LabError} LAB_UPLOAD_BROKEN_OFF, LAB_REQUEST_TOO_LARGE, and what `requireSpace` throws.
 */
export async function receive(
  upload: Receiving,
  { file: path, offsetBytes, body, requireSpace, silenceMs, nowMs }: ReceiveOptions,
): Promise<void> {
  await using file = await open(path, 'a', 0o600)
  await file.truncate(offsetBytes)
  if (offsetBytes === 0) upload.hash = { hash: createHash('sha256'), bytes: 0 }
  else if (upload.hash?.bytes !== offsetBytes) upload.hash = null
  upload.offsetBytes = offsetBytes
  let lookAtBytes = offsetBytes + lookEveryBytes
  const silence = setTimeout(() => body.destroy(new Error('its sender is silent')), silenceMs)
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      silence.refresh()
      if (upload.offsetBytes + chunk.length > upload.lengthBytes)
        throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: upload.lengthBytes })
      if (upload.offsetBytes >= lookAtBytes) {
        await requireSpace()
        lookAtBytes += lookEveryBytes
      }
      await takeChunk(upload, file, chunk)
      upload.lastMs = nowMs()
    }
  } catch (cause) {
    if (LabError.is(cause) || isDiskFault(cause)) throw cause
    throw brokenOff(upload, cause)
  } finally {
    clearTimeout(silence)
    await file.datasync()
  }
}

/** Return the error of an upload of which some bytes are missing. */
export function brokenOff({ id, offsetBytes, lengthBytes }: Receiving, cause?: unknown): LabError {
  const details = { upload: id, received: offsetBytes, length: lengthBytes }
  return new LabError('LAB_UPLOAD_BROKEN_OFF', details, { cause })
}

async function takeChunk(upload: Receiving, file: FileHandle, chunk: Uint8Array): Promise<void> {
  await file.appendFile(chunk)
  upload.offsetBytes += chunk.length
  if (upload.hash === null) return
  upload.hash.hash.update(chunk)
  upload.hash.bytes += chunk.length
}

/** Tell whether an error is one of the disk, and not of the sender. */
function isDiskFault(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT'].includes(code)
}
