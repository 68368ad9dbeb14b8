import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import {
  acceptOf,
  eventsMediaType,
  isSuccess,
  LabError,
  readDocument,
  refusalOf,
  type Answer,
} from '@community-lab/contract'
import Type, { type Static, type TSchema } from 'typebox'

/** Options of a client. */
export interface ClientOptions {
  /** `http(s)://host[:port]`, or `unix:/path/of/a/socket`. */
  readonly base: string
  readonly token?: string
  readonly signal: AbortSignal
  /** The most time for an answer, in milliseconds; 30 seconds by default. */
  readonly timeoutMs?: number
}

/** Options of one request. */
export interface AskOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: unknown
  /** A file as the body, instead of a JSON document. */
  readonly file?: { readonly bytes: Readable; readonly sizeBytes: number; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  /** Status codes from 400 on that count as an answer instead of an error. */
  readonly accept?: readonly number[]
}

/** Sends requests to a server and checks the structure of its answers. Members and values that a newer server adds are accepted. */
export interface Client {
  /** Send a request, and check the answer. @throws {@link LabError} the server's error; LAB_CONNECTION_FAILED, LAB_RESPONSE_INVALID, LAB_TIMEOUT. */
  ask<S extends TSchema>(schema: S, path: string, options?: AskOptions): Promise<Static<S>>
  /** Read a list that is answered in parts, by their links to the next one. @throws {@link LabError} as `ask`. */
  list<S extends TSchema>(schema: S, path: string): Promise<readonly Static<S>[]>
  /**
   * Open a stream of server-sent events, from the one after `lastEventId` on; null: from now on. It ends when the signal is aborted. @throws {@link LabError} as `ask`.
   */
  events(path: string, options: EventOptions): Promise<Readable>
  /** Tell whether there is something at a path, without its content. @throws {@link LabError} as `ask`. */
  has(path: string): Promise<boolean>
  /** Send a request whose answer has no content. */
  do(path: string, options?: AskOptions): Promise<void>
  /**
   * Read an object, and change it to the result of `edit`. When somebody else changes the object meanwhile, it is read and edited again.
   *
   * @throws {@link LabError} as `ask`; LAB_REQUEST_PRECONDITION_FAILED when others change it again and again.
   */
  change<S extends TSchema>(
    schema: S,
    path: string,
    edit: (before: Static<S>) => object,
  ): Promise<Static<S>>
}

/** Options of a stream of events. */
export interface EventOptions {
  readonly lastEventId: string | null
  readonly signal: AbortSignal
}

const defaultTimeoutMs = 30_000
/** The most attempts of a change while others change the same object. */
const maxChangeAttempts = 10

/**
 * Create a client. It opens a connection for each request. The library's client keeps connections, reads streams and repeats requests. A command
 * sends a few requests and ends, sends files, uses Unix sockets, and starts faster without an HTTP library.
 */
export function createClient(options: ClientOptions): Client {
  const ask = async (path: string, asked: AskOptions): Promise<TaggedAnswer> => {
    const answer = { url: options.base + path, ...(await exchange(path, asked, options)) }
    if (isSuccess(answer.status) || asked.accept?.includes(answer.status) === true) return answer
    throw refusalOf(answer)
  }
  return {
    ask: async (schema, path, asked = {}) => readDocument(schema, await ask(path, asked)),
    async list(schema, path) {
      const all: Static<typeof schema>[] = []
      for (let next: string | null = path; next !== null;) {
        const answer: TaggedAnswer = await ask(next, {})
        all.push(...readDocument(Type.Array(schema), answer))
        next = answer.next
      }
      return all
    },
    events: (path, asked) => openEvents(path, asked, options),
    has: async (path) => isSuccess((await ask(path, { method: 'HEAD', accept: [404] })).status),
    async do(path, asked = {}) {
      await ask(path, asked)
    },
    async change(schema, path, edit) {
      for (let attempt = 1; ; attempt += 1) {
        const before = await ask(path, {})
        const headers = before.etag === null ? {} : { 'if-match': before.etag }
        const body = edit(readDocument(schema, before))
        try {
          return readDocument(schema, await ask(path, { method: 'PATCH', body, headers }))
        } catch (error) {
          const isOutdated = LabError.is(error, 'LAB_REQUEST_PRECONDITION_FAILED')
          if (!isOutdated || attempt >= maxChangeAttempts) throw error
        }
      }
    },
  }
}

/** An answer with the ETag of its document, null when it has none, and the link to the next part. */
interface TaggedAnswer extends Answer {
  readonly etag: string | null
  /** The path of the next part of a list; null: this is the last one, or no list. */
  readonly next: string | null
}

async function exchange(
  path: string,
  asked: AskOptions,
  { base, token, signal, timeoutMs = defaultTimeoutMs }: ClientOptions,
): Promise<Omit<TaggedAnswer, 'url'>> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const reached = { base, signal, timeout, timeoutMs }
  const json = asked.body === undefined ? null : Buffer.from(JSON.stringify(asked.body))
  const sizeBytes = asked.file?.sizeBytes ?? json?.length
  const type = asked.file?.type ?? 'application/json'
  try {
    const request = openRequest(base, path, {
      method: asked.method ?? 'GET',
      signal: AbortSignal.any([signal, timeout]),
      headers: {
        accept: acceptOf(),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(sizeBytes === undefined ? {} : { 'content-type': type, 'content-length': sizeBytes }),
        ...asked.headers,
      },
    })
    const answered = answerOf(request)
    // A server may refuse a file before it has read all of it. Then its answer is the result, not the broken pipe.
    const sent =
      asked.file === undefined
        ? Promise.resolve(request.end(json ?? undefined)).then(() => undefined)
        : pipeline(asked.file.bytes, request)
    const [answer] = await Promise.all([answered, sent.catch(() => answered.then(() => undefined))])
    const etag = answer.headers.etag ?? null
    const next = nextOf(answer.headers.link)
    return { status: answer.statusCode ?? 0, body: await text(answer), etag, next }
  } catch (cause) {
    throw explain(cause, reached)
  }
}

async function openEvents(
  path: string,
  { lastEventId, signal }: EventOptions,
  { base, token, timeoutMs = defaultTimeoutMs }: ClientOptions,
): Promise<Readable> {
  const timeout = new AbortController()
  // The limit is for the beginning of the answer. The stream itself has no end.
  const timer = setTimeout(() => timeout.abort(), timeoutMs)
  try {
    const request = openRequest(base, path, {
      method: 'GET',
      signal: AbortSignal.any([signal, timeout.signal]),
      headers: {
        accept: acceptOf(eventsMediaType),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
      },
    })
    const answered = answerOf(request)
    request.end()
    const answer = await answered
    const status = answer.statusCode ?? 0
    if (isSuccess(status)) return answer
    throw refusalOf({ url: base + path, status, body: await text(answer) })
  } catch (cause) {
    throw explain(cause, { base, signal, timeout: timeout.signal, timeoutMs })
  } finally {
    clearTimeout(timer)
  }
}

interface Reached {
  readonly base: string
  readonly signal: AbortSignal
  readonly timeout: AbortSignal
  readonly timeoutMs: number
}

/** Return the error of a request that got no answer. */
function explain(cause: unknown, { base, signal, timeout, timeoutMs }: Reached): unknown {
  if (signal.aborted || LabError.is(cause)) return cause
  if (timeout.aborted) {
    const details = { what: `an answer of ${base}`, waitedMs: timeoutMs }
    return new LabError('LAB_TIMEOUT', details, { cause })
  }
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
  return new LabError('LAB_CONNECTION_FAILED', { url: base, reason, attempts: 1 }, { cause })
}

/** Return the target of the link to the next part, if it is a path of the same server. */
function nextOf(links: string | string[] | undefined): string | null {
  const text = Array.isArray(links) ? links.join(', ') : (links ?? '')
  return /<(\/[^>]*)>; rel="next"/u.exec(text)?.[1] ?? null
}

interface OpenOptions {
  readonly method: string
  readonly signal: AbortSignal
  readonly headers: Readonly<Record<string, string | number>>
}

function openRequest(base: string, path: string, options: OpenOptions): ClientRequest {
  if (base.startsWith('unix:')) {
    const headers = { host: 'localhost', ...options.headers }
    return requestHttp({
      ...options,
      headers,
      socketPath: base.slice('unix:'.length),
      path,
      agent: false,
    })
  }
  const url = new URL(base.replace(/\/+$/u, '') + path)
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return request(url, { ...options, headers: { ...options.headers }, agent: false })
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
  })
}
