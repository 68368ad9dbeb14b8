import { Readable } from 'node:stream'
import {
  beginHeaders,
  messageOf,
  partRequest,
  sendUpload,
  Upload,
  uploadChunkBytes,
  uploadPartTimeoutMs,
  type UploadPart,
  type UploadRequests,
} from '@community-lab/contract'
import Type from 'typebox'
import { currentDisplay } from '../display/current.ts'
import type { LiveDisplay } from '../display/bundle.ts'
import type { HttpClient } from '../http/client.ts'
import { sleep } from '../wait/signal.ts'
import type { PackedData } from '@community-lab/contract/files'

/** Options of {@link uploadData}. */
export interface UploadDataOptions {
  /** The path of the archive at the server, once it is there, and of the uploads that are not finished. */
  readonly uri: string
  readonly uploadsUri: string
  /** The name of the slice that it is for. */
  readonly slice: string
  readonly signal: AbortSignal
}

/**
 * Upload an archive, and show how far it is when that takes long. What has come to the server stays there when this is interrupted or the connection breaks, and the
 * next upload of the same archive goes on where it stopped.
 *
 * @throws {@link LabError} those of {@link sendUpload}.
 */
export async function uploadData(
  http: HttpClient,
  { bytes, sha256 }: PackedData,
  { uri, uploadsUri, slice, signal }: UploadDataOptions,
): Promise<void> {
  using progress = createProgress(slice, bytes.length)
  await sendUpload(createRequests(http, { bytes, sha256, uri, uploadsUri, signal }), {
    sizeBytes: bytes.length,
    sha256,
    onProgress: (sentBytes, trouble) => progress.note(sentBytes, trouble),
    sleep: (delayMs) => sleep(delayMs, signal),
    signal,
  })
  progress.end()
}

function createRequests(
  http: HttpClient,
  {
    bytes,
    sha256,
    uri,
    uploadsUri,
    signal,
  }: Pick<UploadDataOptions, 'uri' | 'uploadsUri' | 'signal'> & PackedData,
): UploadRequests {
  return {
    isThere: () => http.has(uri, signal),
    list: () => http.ask(Type.Array(Upload), uploadsUri, { signal }),
    begin: () =>
      http.ask(Upload, uploadsUri, {
        method: 'POST',
        headers: beginHeaders({ sizeBytes: bytes.length, sha256 }),
        signal,
      }),
    send(upload, part, onSent) {
      const { headers, sizeBytes, type } = partRequest(part)
      const body = Readable.from(readPart(bytes, part, onSent), {
        objectMode: false,
        highWaterMark: uploadChunkBytes,
      })
      return http.tell(upload, {
        method: 'PATCH',
        file: { bytes: body, sizeBytes, type },
        headers,
        timeoutMs: uploadPartTimeoutMs,
        signal,
      })
    },
  }
}

/** Read a part in chunks. A chunk counts as sent when the next one is asked for. */
function* readPart(
  bytes: Uint8Array,
  { fromByte, endByte }: UploadPart,
  onSent: (bytes: number) => void,
): Generator<Uint8Array> {
  for (let at = fromByte; at < endByte; at += uploadChunkBytes) {
    onSent(at - fromByte)
    yield bytes.subarray(at, Math.min(at + uploadChunkBytes, endByte))
  }
}

/** The time after which an upload is shown, and between two looks at how far it is, in milliseconds. */
const lookEveryMs = 1_000
const mib = 2 ** 20

/** Show how far an upload is, when it takes longer than a second. */
function createProgress(slice: string, sizeBytes: number) {
  let state: { readonly sentBytes: number; readonly trouble: Error | null } = {
    sentBytes: 0,
    trouble: null,
  }
  let isDone = false
  let display: LiveDisplay | null = null
  let lastShown = ''
  const size = (sizeBytes / mib).toFixed(1)
  const describe = (): string => {
    const { sentBytes, trouble } = state
    // Outside of notebooks each text is a line of its own, so there are a hundred at most.
    const percent = Math.floor((100 * sentBytes) / sizeBytes)
    const why = trouble === null ? '' : `; trying again: ${messageOf(trouble)}`
    return `slice ${slice}: uploading its data, ${percent} % of ${size} MiB${why}`
  }
  const show = (text: string): void => {
    if (text === lastShown) return
    lastShown = text
    display ??= currentDisplay().newDisplay()
    display.update({ 'text/plain': text })
  }
  const timer = setInterval(() => show(describe()), lookEveryMs)
  timer.unref()
  return {
    note: (sentBytes: number, trouble: Error | null): void => {
      state = { sentBytes, trouble }
    },
    end(): void {
      isDone = true
    },
    [Symbol.dispose](): void {
      clearInterval(timer)
      if (display === null) return
      const ended = isDone
        ? `its data is uploaded, ${size} MiB`
        : 'the upload of its data has stopped; what the server has of it stays for a day, and ensure goes on from there'
      show(`slice ${slice}: ${ended}`)
    },
  }
}
