import { open, type FileHandle } from 'node:fs/promises'
import { pipeline, Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  beginHeaders,
  partRequest,
  sendUpload,
  Upload,
  uploadChunkBytes,
  type UploadPart,
} from '@community-lab/contract'
import Type from 'typebox'
import type { Client } from './client.ts'

/** A file to upload. */
export interface UploadOptions {
  readonly file: string
  readonly sizeBytes: number
  /** Its SHA-256, in hexadecimal digits. */
  readonly sha256: string
  /** Called with what the server has, in bytes, and while it is away, with the reason. */
  readonly onProgress: (sentBytes: number, trouble: Error | null) => void
  /** Tell whether the server has the whole file. Its last answer may have been lost. */
  readonly isThere: () => Promise<boolean>
  readonly signal: AbortSignal
}

/**
 * Upload a file, as {@link sendUpload} does. `uploads` is the path of the uploads to an object.
 *
 * @throws {@link LabError} those of {@link sendUpload}.
 */
export async function uploadFile(
  client: Client,
  uploads: string,
  { file, sizeBytes, sha256, onProgress, isThere, signal }: UploadOptions,
): Promise<void> {
  // It stays the same file, whatever is done to its name meanwhile.
  await using handle = await open(file)
  const requests = {
    isThere,
    list: () => client.ask(Type.Array(Upload), uploads),
    begin: () =>
      client.ask(Upload, uploads, {
        method: 'POST',
        headers: beginHeaders({ sizeBytes, sha256 }),
      }),
    async send(uri: string, part: UploadPart, onSent: (bytes: number) => void): Promise<void> {
      const bytes = pipeline(
        // A stream of the file would close the file when the request breaks.
        () => readPart(handle, part),
        countBytes(onSent),
        // A failure of reading breaks the request, which is repeated.
        () => undefined,
      )
      const { headers, sizeBytes: length, type } = partRequest(part)
      await client.do(uri, { method: 'PATCH', file: { bytes, sizeBytes: length, type }, headers })
    },
  }
  await sendUpload(requests, {
    sizeBytes,
    sha256,
    onProgress,
    sleep: (delayMs) => sleep(delayMs, undefined, { signal }),
    signal,
  })
}

async function* readPart(
  handle: FileHandle,
  { fromByte, endByte }: UploadPart,
): AsyncGenerator<Uint8Array> {
  for (let at = fromByte; at < endByte;) {
    const chunk = Buffer.allocUnsafe(Math.min(uploadChunkBytes, endByte - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    // The file has become shorter: the request, which has announced its length, breaks.
    if (bytesRead === 0) return
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}

function countBytes(onCount: (bytes: number) => void): Transform {
  let count = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      count += chunk.length
      onCount(count)
      done(null, chunk)
    },
  })
}
