import { fromProblem, LabError, Problem } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { Pool, type Dispatcher } from 'undici'
import { connectPinned } from './pinned-connection.ts'

/** Options of {@link createPinnedHttp}. */
export interface PinnedHttpOptions {
  /** The server, `https://host[:port]`. */
  readonly url: string
  readonly certificateSha256: string
  /** Sent as bearer with every request. */
  readonly token: string
}

/** One request. */
export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** From the root, with its slash. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  readonly signal: AbortSignal
}

/** An answer that is no error: 2xx or 304. The body has to be read, or dumped. */
export interface HttpAnswer {
  readonly status: number
  header(name: string): string | null
  readonly body: Dispatcher.ResponseData['body']
}

/** HTTP to one server that is known by its certificate. */
export interface PinnedHttp {
  /**
   * Make one request: not repeated, no redirect followed.
   *
   * @throws {@link LabError} the server's own, from its problem document; LAB_CONNECTION_FAILED; LAB_CERTIFICATE_MISMATCH. An abort throws its reason.
   */
  request(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

/** The longest wait for an answer's head, and then for each piece of its body, in milliseconds. */
const silenceMs = 20_000
/** The longest JSON document read, in bytes. */
const maxDocumentBytes = 8 * 1024 * 1024

/** Keep up to four connections to one server, each pinned before anything is sent on it. */
export function createPinnedHttp(options: PinnedHttpOptions): PinnedHttp {
  const { url, certificateSha256, token } = options
  // An end does not wait for a server that does not answer.
  const closing = new AbortController()
  const pool = new Pool(new URL(url).origin, {
    connections: 4,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: (_, callback) => {
      connectPinned({ url, certificateSha256, signal: closing.signal }).then(
        (socket) => callback(null, socket),
        (error: unknown) => callback(toError(error), null),
      )
    },
  })
  return {
    async request({ method, path, headers = {}, json, signal }) {
      const whole = new URL(path, url).href
      try {
        const answer = await pool.request({
          method,
          path,
          signal,
          headers: {
            accept: 'application/json, application/problem+json, */*;q=0.1',
            authorization: `Bearer ${token}`,
            ...(json === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        })
        if (answer.statusCode >= 300 && answer.statusCode !== 304)
          throw await readProblem(whole, answer)
        return {
          status: answer.statusCode,
          header: (name) => firstOf(answer.headers[name]),
          body: answer.body,
        }
      } catch (error) {
        throw toConnectionError(error, whole, signal)
      }
    },
    close() {
      closing.abort()
      return pool.destroy()
    },
  }
}

/** Read a body as JSON text. @throws {@link LabError} LAB_RESPONSE_TOO_LARGE, LAB_RESPONSE_INVALID, LAB_CONNECTION_FAILED. */
export async function readJson(
  body: HttpAnswer['body'],
  url: string,
  signal: AbortSignal,
): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of boundBytes(body, { url, limitBytes: maxDocumentBytes, signal })) {
    chunks.push(Buffer.from(chunk))
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw new LabError('LAB_RESPONSE_INVALID', { url, reason: 'it is not JSON' }, { cause })
  }
}

/** Pass a body's bytes on, up to a limit. @throws {@link LabError} LAB_RESPONSE_TOO_LARGE, LAB_CONNECTION_FAILED when it breaks off. */
export async function* boundBytes(
  body: HttpAnswer['body'],
  options: { readonly url: string; readonly limitBytes: number; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const { url, limitBytes, signal } = options
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > limitBytes) throw new LabError('LAB_RESPONSE_TOO_LARGE', { url, limitBytes })
      yield chunk
    }
  } catch (error) {
    throw toConnectionError(error, url, signal)
  }
}

/** What went wrong with a request, as the caller should see it: a LabError as it is, an abort as its reason, all else as LAB_CONNECTION_FAILED. */
export function toConnectionError(error: unknown, url: string, signal: AbortSignal): Error {
  if (signal.aborted) return toError(signal.reason)
  if (LabError.is(error)) return error
  const reason = toError(error).message
  return new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 }, { cause: error })
}

/** The error that a problem document tells of; an answer without one is the fault of something in between. */
export function problemOf(url: string, status: number, document: unknown): LabError {
  if (Value.Check(Problem, document)) return fromProblem(document)
  const reason = `status ${status} without a problem document`
  return new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

async function readProblem(url: string, answer: Dispatcher.ResponseData): Promise<LabError> {
  const document = await readJson(answer.body, url, new AbortController().signal).catch(
    // Not a problem document: the status alone is told.
    () => null,
  )
  return problemOf(url, answer.statusCode, document)
}

function firstOf(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
