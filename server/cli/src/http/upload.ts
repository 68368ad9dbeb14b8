import { open, type FileHandle } from 'node:fs/promises'
import { pipeline, Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, LabError, tusMediaType, tusVersion, Upload } from '@community-lab/contract'
import Type from 'typebox'
import type { Client } from './client.ts'

/** A file to upload. */
export interface UploadOptions {
  readonly file: string
  readonly sizeBytes: number
  /** Its SHA-256, in hexadecimal digits. */
  readonly sha256: string
  /** Called with what the server has, in bytes, and while it is away, with the reason. */
  readonly onProgress: (sentBytes: number, trouble: LabError | null) => void
  /** Tell whether the server has the whole file. Its last answer may have been lost. */
  readonly isThere: () => Promise<boolean>
  readonly signal: AbortSignal
}

/** A part of a file is short enough for proxies that keep bodies in memory, and for slow links within the time of one request. */
const partBytes = 16 * 1024 ** 2
/** The delays while the server is away or restarts. */
const backoff = { firstMs: 500, longestMs: 5_000, jitter: 0.3 }
/** How much of the file is read at a time. */
const chunkBytes = 65_536
/** The most failures in a row, which are about two minutes. */
const maxFailures = 30

/**
 * Upload a file in parts, by the tus protocol. An earlier upload of the same file that was not finished goes on where it stopped, whichever process began it. `uploads`
 * is the path of the uploads to an object. A library for this protocol would bring its own HTTP; this client also speaks to Unix sockets.
 *
 * @throws {@link LabError} the server's refusal; LAB_CONNECTION_FAILED and the like when the server stays away.
 */
export async function uploadFile(
  client: Client,
  uploads: string,
  { file, sizeBytes, sha256, onProgress, isThere, signal }: UploadOptions,
): Promise<void> {
  // It stays the same file, whatever is done to its name meanwhile.
  await using handle = await open(file)
  let sentBytes = 0
  let failures = 0
  for (let uri: string | null = null; ;) {
    try {
      if (uri === null) {
        if (await isThere()) return
        const upload = await findOrBegin(client, uploads, { sizeBytes, sha256 })
        uri = upload.uri
        sentBytes = upload.offset_bytes
      }
      onProgress(sentBytes, null)
      const from = sentBytes
      const endBytes = Math.min(sizeBytes, from + partBytes)
      const bytes = pipeline(
        // A stream of the file would close the file when the request breaks.
        () => readPart(handle, from, endBytes),
        countBytes((count) => onProgress(from + count, null)),
        // A failure of reading breaks the request, which is repeated.
        () => undefined,
      )
      await client.do(uri, {
        method: 'PATCH',
        file: { bytes, sizeBytes: endBytes - from, type: tusMediaType },
        headers: { 'tus-resumable': tusVersion, 'upload-offset': String(from) },
      })
      sentBytes = endBytes
      failures = 0
      if (sentBytes === sizeBytes) return
    } catch (error) {
      signal.throwIfAborted()
      if (LabError.is(error, 'LAB_UPLOAD_OFFSET')) sentBytes = error.details.expected
      else if (LabError.is(error) && error.retryable) uri = null
      else throw error
      failures += 1
      if (failures >= maxFailures) throw error
      onProgress(sentBytes, error)
      await sleep(backoffMs(backoff, failures), undefined, { signal })
    }
  }
}

async function* readPart(
  handle: FileHandle,
  fromByte: number,
  endByte: number,
): AsyncGenerator<Uint8Array> {
  for (let at = fromByte; at < endByte;) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, endByte - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    // The file has become shorter: the request, which has announced its length, breaks.
    if (bytesRead === 0) return
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}

async function findOrBegin(
  client: Client,
  uploads: string,
  { sizeBytes, sha256 }: Pick<UploadOptions, 'sizeBytes' | 'sha256'>,
): Promise<Upload> {
  const unfinished = await client.ask(Type.Array(Upload), uploads)
  const own = unfinished.find((each) => each.sha256 === sha256 && each.length_bytes === sizeBytes)
  if (own !== undefined) return own
  return client.ask(Upload, uploads, {
    method: 'POST',
    headers: {
      'tus-resumable': tusVersion,
      'upload-length': String(sizeBytes),
      'upload-metadata': `sha256 ${Buffer.from(sha256).toString('base64')}`,
    },
  })
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
