import type { IncomingMessage } from 'node:http'
import { Agent, request as requestHttps } from 'node:https'
import { Duplex } from 'node:stream'
import { problemOf, silent, toConnectionError, toError } from './errors.ts'
import { answerOf, type HttpAnswer } from './http-answer.ts'
import { connectPinned } from './pinned-connection.ts'

/** Options of {@link createPinnedHttp}. */
export interface PinnedHttpOptions {
  /** The server, `https://host[:port]`. */
  readonly url: string
  readonly certificateSha256: string
  /** Sent as bearer with every request. */
  readonly token: string
  /** The longest wait for an answer's head, in milliseconds, and then for each piece of its body; default: 20 s. */
  readonly silenceMs?: number
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

/** HTTP to one server that is known by its certificate. */
export interface PinnedHttp {
  /**
   * Make one request: not repeated, no redirect followed.
   *
   * @throws {@link LabError} the server's own, from its problem document; LAB_CONNECTION_FAILED; LAB_CERTIFICATE_MISMATCH. An abort throws its reason.
   */
  request(request: HttpRequest): Promise<HttpAnswer>
  /** Close all connections. Requests under way fail. */
  close(): void
}

/** How long a connection is kept that no request uses, in milliseconds; less where the server says that it closes it earlier. */
const keptMs = 60_000

/** Keep connections to one server, each pinned before anything is sent on it: as many as requests are under way, and up to four that wait for the next. */
export function createPinnedHttp(options: PinnedHttpOptions): PinnedHttp {
  const { url, token, silenceMs = 20_000 } = options
  const agent = new PinnedAgent(options)
  return {
    async request({ method, path, headers = {}, json, signal }) {
      const whole = new URL(path, url).href
      const body = json === undefined ? null : Buffer.from(JSON.stringify(json))
      const sent = {
        accept: 'application/json, application/problem+json, */*;q=0.1',
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

/** Connections that are handed out only after the server has shown its certificate. */
class PinnedAgent extends Agent {
  readonly #server: Pick<PinnedHttpOptions, 'url' | 'certificateSha256'>
  // Closing ends the attempts to connect, because the server may never answer.
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

/** Send a request; resolves with the head of its answer. */
async function send(
  url: URL,
  order: NonNullable<Parameters<typeof requestHttps>[1]>,
  { body, silenceMs, signal }: Sending,
): Promise<IncomingMessage> {
  const head = Promise.withResolvers<IncomingMessage>()
  const request = requestHttps(url, order, head.resolve)
  // It also takes errors that come after the head, which the body tells.
  request.on('error', head.reject)
  const give = (reason: Error): void => {
    head.reject(reason)
    request.destroy()
  }
  const abort = (): void => give(toError(signal.reason))
  let silence: NodeJS.Timeout | undefined
  // Connecting has its own limit.
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
