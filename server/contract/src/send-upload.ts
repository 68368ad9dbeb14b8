import { backoffMs } from './backoff.ts'
import { LabError } from './error/lab-error.ts'
import { messageOf } from './error/message-of.ts'
import { tusMediaType, tusVersion, type Upload } from './schema/upload.ts'

/** The requests of an upload. Whoever uploads sends them by an HTTP client of its own. */
export interface UploadRequests {
  /** Tell whether the server has the whole. The last answer may have been lost, or somebody else has uploaded the same. */
  isThere(): Promise<boolean>
  /** List the unfinished uploads to the same object. */
  list(): Promise<readonly Upload[]>
  begin(): Promise<Upload>
  /** Send a part to the upload with this URI, and wait for the answer. `onSent` is called with how much of the part is sent, in bytes. */
  send(uri: string, part: UploadPart, onSent: (sentBytes: number) => void): Promise<void>
}

/** A part of what is uploaded: the bytes from one place up to another, not included. */
export interface UploadPart {
  readonly fromByte: number
  readonly endByte: number
}

/** Return the headers of the request that begins an upload. */
export function beginHeaders({
  sizeBytes,
  sha256,
}: Pick<SendUploadOptions, 'sizeBytes' | 'sha256'>): Readonly<Record<string, string>> {
  return {
    'tus-resumable': tusVersion,
    'upload-length': String(sizeBytes),
    'upload-metadata': `sha256 ${btoa(sha256)}`,
  }
}

/** Return the headers of the request that sends a part, and what its body is: so many bytes of this media type. */
export function partRequest({ fromByte, endByte }: UploadPart): {
  readonly headers: Readonly<Record<string, string>>
  readonly sizeBytes: number
  readonly type: string
} {
  return {
    headers: { 'tus-resumable': tusVersion, 'upload-offset': String(fromByte) },
    sizeBytes: endByte - fromByte,
    type: tusMediaType,
  }
}

/** The time limit of the request that sends a part, in milliseconds: it takes long on a link of a community network. */
export const uploadPartTimeoutMs = 600_000
/** How much of a part is read and sent at a time, in bytes. */
export const uploadChunkBytes = 65_536

/** Options of {@link sendUpload}. */
export interface SendUploadOptions {
  /** The size of the whole, in bytes; at least 1. */
  readonly sizeBytes: number
  /** The SHA-256 of the whole, in hexadecimal digits. */
  readonly sha256: string
  /** Called with how much of the whole is sent, in bytes, and while the server does not take it, with the reason. */
  readonly onProgress: (sentBytes: number, trouble: Error | null) => void
  /** Wait for a time in milliseconds. Rejects when the upload is to end. */
  readonly sleep: (delayMs: number) => Promise<void>
  readonly signal: AbortSignal
}

/** A part is short enough for proxies that keep bodies in memory, and for slow links within the time of one request. */
const partBytes = 16 * 1024 ** 2
/** The delays while the server is away or restarts. */
const backoff = { firstMs: 500, longestMs: 5_000, jitter: 0.3 }
/** The most failures in a row, which are about two minutes. */
const maxFailures = 30

/**
 * Upload something in parts, by the tus protocol. An earlier upload of the same content that was not finished goes on where it stopped, whichever process began it.
 * After a failure that may pass, the upload is looked up again, and goes on. As long as the server gets more of it, there is no limit of failures.
 *
 * The client libraries of the protocol read files and bring an HTTP client. Here the command line also speaks to Unix sockets, and the kernel keeps its connections.
 *
 * Source: tus resumable upload protocol 1.0.0, https://tus.io/protocols/resumable-upload.
 *
 * @throws {@link LabError} the server's refusal; LAB_CONNECTION_FAILED and the like when the server stays away; the reason of the signal.
 */
export async function sendUpload(
  requests: UploadRequests,
  { sizeBytes, sha256, onProgress, sleep, signal }: SendUploadOptions,
): Promise<void> {
  let sentBytes = 0
  let furthestBytes = 0
  let failures = 0
  const advance = (bytes: number): void => {
    sentBytes = bytes
    if (bytes > furthestBytes) failures = 0
    furthestBytes = Math.max(furthestBytes, bytes)
  }
  for (let uri: string | null = null; ;) {
    try {
      if (uri === null) {
        if (await requests.isThere()) return
        const unfinished = await requests.list()
        const own = unfinished.find(
          (each) => each.sha256 === sha256 && each.length_bytes === sizeBytes,
        )
        const upload: Upload = own ?? (await requests.begin())
        uri = upload.uri
        advance(upload.offset_bytes)
      }
      onProgress(sentBytes, null)
      const fromByte = sentBytes
      const endByte = Math.min(sizeBytes, fromByte + partBytes)
      await requests.send(uri, { fromByte, endByte }, (bytes) => {
        onProgress(fromByte + bytes, null)
      })
      advance(endByte)
      if (endByte === sizeBytes) return
    } catch (error) {
      signal.throwIfAborted()
      if (LabError.is(error, 'LAB_UPLOAD_OFFSET')) advance(error.details.expected)
      else if (isPassing(error)) uri = null
      else throw error
      failures += 1
      if (failures >= maxFailures) throw error
      onProgress(sentBytes, error instanceof Error ? error : new Error(messageOf(error)))
      await sleep(backoffMs(backoff, failures))
    }
  }
}

/**
 * Tell whether an upload can go on after an error. An upload that the server does not know any more has expired, or was finished by somebody else who sent the same.
 */
function isPassing(error: unknown): boolean {
  if (LabError.is(error, 'LAB_NOT_FOUND')) return error.details.kind === 'upload'
  return LabError.is(error) && error.retryable
}
