import {
  acceptOf,
  backoffMs,
  isSuccess,
  LabError,
  readAnswer,
  refusalOf,
} from '@community-lab/contract'
import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import { Agent, errors, request, type Dispatcher } from 'undici'
import { anySignal, backoff, sleep } from '../wait/signal.ts'

/** Options of a request. */
export interface AskOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** A JSON document. */
  readonly body?: unknown
  /** Bytes as the body, instead of a document. Such a request is sent once. */
  readonly file?: { readonly bytes: Readable; readonly sizeBytes: number; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** Time limit of one attempt, in milliseconds; default 30 000. */
  readonly timeoutMs?: number
}

/** Options of {@link createHttpClient}. */
export interface HttpClientOptions {
  readonly url: string
  /** Sent as a bearer token; null: none. */
  readonly token: string | null
  /** Speak HTTP over this Unix socket instead of TCP. */
  readonly socketPath?: string
  readonly signal: AbortSignal
}

/** An HTTP client of one server. */
export interface HttpClient {
  readonly url: string
  /** Send a request and check the answer against a schema. Additional members, as newer servers send, are allowed. */
  ask<S extends TSchema>(schema: S, path: string, options?: AskOptions): Promise<Static<S>>
  /** Send a request whose answer has no content of interest. */
  tell(path: string, options?: AskOptions): Promise<void>
  /** Send a request and return the body as a stream. */
  open(path: string, options?: AskOptions & OpenOptions): Promise<Dispatcher.ResponseData>
  /** Tell whether there is something at a path, without its content. */
  has(path: string, signal: AbortSignal): Promise<boolean>
  /** The headers that authenticate the user, for WebSockets. */
  headers(): Readonly<Record<string, string>>
  close(): Promise<void>
}

/** Options of {@link HttpClient.open}. */
export interface OpenOptions {
  /** The media type that is wanted. */
  readonly accept: string
  readonly lastEventId?: string | null
}

const attempts = 4
const idempotent = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])

/**
 * Create a client. It tries GET, PUT and DELETE up to four times when the server cannot be reached or answers that a later attempt may work. An answer of 4xx
 * or 5xx becomes the LabError that the server made.
 *
 * The calls throw LabError: LAB_CONNECTION_FAILED, LAB_RESPONSE_INVALID, LAB_TIMEOUT and any error of the server.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { url, token } = options
  const dispatcher = new Agent({
    connect: {
      timeout: 10_000,
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
    },
    keepAliveTimeout: 30_000,
    // A stream of events is silent between changes. Its reader watches the heartbeat instead.
    bodyTimeout: 0,
  })
  const headers = (): Record<string, string> =>
    token === null ? {} : { authorization: `Bearer ${token}` }

  async function attempt(
    path: string,
    ask: AskOptions & Partial<OpenOptions>,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { method = 'GET', body, file, query } = ask
    const document = body === undefined ? undefined : JSON.stringify(body)
    const sent = file?.bytes ?? document
    const answer = await request(url + path, {
      dispatcher,
      method,
      headers: {
        accept: acceptOf(ask.accept),
        ...headers(),
        ...(document === undefined ? {} : { 'content-type': 'application/json' }),
        ...(file === undefined
          ? {}
          : { 'content-type': file.type, 'content-length': String(file.sizeBytes) }),
        ...ask.headers,
        ...(ask.lastEventId == null ? {} : { 'last-event-id': ask.lastEventId }),
      },
      ...(sent === undefined ? {} : { body: sent }),
      ...(query === undefined ? {} : { query }),
      headersTimeout: ask.timeoutMs ?? 30_000,
      signal,
    })
    const { statusCode: status } = answer
    if (method === 'HEAD' && status === 404) return answer
    if (!isSuccess(status))
      throw refusalOf({ url: url + path, status, body: await answer.body.text() })
    return answer
  }

  async function retry<T>(
    path: string,
    ask: AskOptions & Partial<OpenOptions>,
    read: (answer: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const signal = anySignal(ask.signal, options.signal)
    for (let number = 1; ; number++) {
      try {
        return await read(await attempt(path, ask, signal))
      } catch (cause) {
        signal.throwIfAborted()
        const error = explain(cause, { url: url + path, number, ask })
        const again = idempotent.has(ask.method ?? 'GET') && number < attempts && error.retryable
        if (!again) throw error
        await sleep(backoffMs(backoff, number), signal)
      }
    }
  }

  return {
    url,
    headers,
    ask: (schema, path, ask = {}) =>
      retry(path, ask, async ({ statusCode: status, body }) =>
        readAnswer(schema, { url: url + path, status, body: await body.text() }),
      ),
    tell: (path, ask = {}) => retry(path, ask, ({ body }) => body.dump()),
    has: (path, signal) =>
      retry(path, { method: 'HEAD', signal }, async ({ statusCode: status, body }) => {
        await body.dump()
        return isSuccess(status)
      }),
    open: (path, ask = { accept: '*/*' }) => retry(path, ask, (answer) => Promise.resolve(answer)),
    close: () => dispatcher.destroy(),
  }
}

function explain(
  cause: unknown,
  { url, number, ask }: { url: string; number: number; ask: AskOptions },
): LabError {
  if (LabError.is(cause)) return cause
  if (cause instanceof errors.HeadersTimeoutError)
    return new LabError(
      'LAB_TIMEOUT',
      { what: `an answer of ${url}`, waitedMs: ask.timeoutMs ?? 30_000 },
      { cause },
    )
  return new LabError(
    'LAB_CONNECTION_FAILED',
    { url, reason: describeCause(cause), attempts: number },
    { cause },
  )
}

/** Describe a failure below HTTP in a few words. */
export function describeCause(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0)
    return describeCause(cause.errors[0])
  if (!(cause instanceof Error)) return String(cause)
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message
}
