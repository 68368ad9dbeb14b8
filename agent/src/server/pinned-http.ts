import type { IncomingMessage } from 'node:http'
import { Agent, request as requestHttps } from 'node:https'
import { Duplex } from 'node:stream'
import { acceptOf } from '@community-lab/contract'
import { problemOf, silent, toConnectionError, toError } from './errors.ts'
import { answerOf, type HttpAnswer } from './http-answer.ts'
import { connectPinned } from './pinned-connection.ts'

/** Options of {@link createPinnedHttp}. */
export interface PinnedHttpOptions {
  /** The server, `https://host[:port]`. */
  readonly url: string
  readonly certificateSha256: string
  /** The bearer token of every request. */
  readonly token: string
  /** The longest time until the head of an answer, and then until each part of its body, in milliseconds; default: 20 s. */
  readonly silenceMs?: number
}

/** One request. */
export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** The path from the root, with a leading slash. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** The body, sent as JSON. */
  readonly json?: unknown
  readonly signal: AbortSignal
}

/** HTTP to one server, which is identified by its certificate. */
export interface PinnedHttp {
  /**
   * Make one request. It is not repeated, and no redirect is followed.
   *
   * @throws {@link LabError} the server's own, from its problem document; LAB_CONNECTION_FAILED; LAB_CERTIFICATE_MISMATCH. An abort throws its reason.
   */
  request(request: HttpRequest): Promise<HttpAnswer>
  /** Close all connections. Requests under way fail. */
  close(): void
}

/** How long an unused connection is kept, in milliseconds; less when the server says that it closes it earlier. */
const keptMs = 60_000

/**
 * Make a client that keeps connections to one server: one for each running request, and up to four unused ones. The certificate is checked before anything is
 * sent.
 */
export function createPinnedHttp(options: PinnedHttpOptions): PinnedHttp {
  const { url, token, silenceMs = 20_000 } = options
  const agent = new PinnedAgent(options)
  return {
    async request({ method, path, headers = {}, json, signal }) {
      const whole = new URL(path, url).href
      const body = json === undefined ? null : Buffer.from(JSON.stringify(json))
      const sent = {
        accept: acceptOf('application/json, */*;q=0.1'),
        authorization: `Bearer ${token}`,
        ...(body === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': body.length }),
        ...headers,
      }
      const order = { agent, method, path, headers: sent }
      try {
        signal.throwIfAborted()
        const response = await send(new URL(url), order, { body, silenceMs, signal })
        const answer = answerOf(response, { url: whole, silenceMs, signal })
        if (answer.status < 300 || answer.status === 304) return answer
        // If the body is not a problem document, the error has only the status.
        throw problemOf(whole, answer.status, await answer.readJson().catch(() => null))
      } catch (error) {
        throw toConnectionError(error, whole, signal)
      }
    },
    close() {
      agent.destroy()
    },
  }
}

/** Connections that are handed out only after the server's certificate was checked. */
class PinnedAgent extends Agent {
  readonly #server: Pick<PinnedHttpOptions, 'url' | 'certificateSha256'>
  // Closing ends connection attempts, because the server may never answer.
  readonly #closing = new AbortController()

  constructor(server: Pick<PinnedHttpOptions, 'url' | 'certificateSha256'>) {
    super({ keepAlive: true, keepAliveMsecs: 30_000, maxFreeSockets: 4, timeout: keptMs })
    this.#server = server
  }

  override createConnection(
    _: unknown,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { url, certificateSha256 } = this.#server
    connectPinned({ url, certificateSha256, signal: this.#closing.signal }).then(
      (socket) => callback?.(null, socket),
      // Node does not use the socket when there is an error, but its type demands one.
      (error: unknown) => callback?.(toError(error), new Duplex()),
    )
  }

  override destroy(): void {
    this.#closing.abort(new Error('this client was closed'))
    super.destroy()
  }
}

interface Sending {
  readonly body: Buffer | null
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/** Send a request. Resolves with the head of the answer. */
async function send(
  url: URL,
  order: NonNullable<Parameters<typeof requestHttps>[1]>,
  { body, silenceMs, signal }: Sending,
): Promise<IncomingMessage> {
  const head = Promise.withResolvers<IncomingMessage>()
  const request = requestHttps(url, order, head.resolve)
  // The listener also takes errors after the head, which the body reports.
  request.on('error', head.reject)
  const give = (reason: Error): void => {
    head.reject(reason)
    request.destroy()
  }
  const abort = (): void => give(toError(signal.reason))
  let silence: NodeJS.Timeout | undefined
  // The timeout starts here, because connecting has its own.
  request.once('socket', () => {
    silence = setTimeout(() => give(silent(silenceMs)), silenceMs)
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    request.end(body ?? undefined)
    return await head.promise
  } finally {
    clearTimeout(silence)
    signal.removeEventListener('abort', abort)
  }
}
