import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { path as fillRoute, routes, streamSubprotocol } from '@community-lab/contract'
import { WebSocket } from 'ws'
import { problemOf, toConnectionError } from './errors.ts'
import { connectPinned, connectWithinMs } from './pinned-connection.ts'

/** Options of {@link openNodeStream}. */
export interface NodeStreamOptions {
  readonly url: string
  readonly certificateSha256: string
  readonly token: string
  readonly nodeId: number
  /** Ends the attempt. An open stream must be closed by the caller. */
  readonly signal: AbortSignal
}

/** The longest accepted frame, in bytes. The server's frames are short. */
const maxFrameBytes = 1024 * 1024

/** Open the node's stream. The certificate is checked before the token is sent. Resolves with an open WebSocket. */
export async function openNodeStream(options: NodeStreamOptions): Promise<WebSocket> {
  const { url, certificateSha256, token, signal } = options
  const whole = new URL(fillRoute(routes.nodeStream, { id: options.nodeId }), url)
  const connection = await connectPinned({ url, certificateSha256, signal })
  const stream = new WebSocket(whole.href.replace(/^http/u, 'ws'), streamSubprotocol, {
    createConnection: () => connection,
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: connectWithinMs,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    followRedirects: false,
  })
  const refused = Promise.withResolvers<never>()
  stream.once('unexpected-response', (_request, response: IncomingMessage) => {
    readRefusal(whole.href, response).then(refused.reject, refused.reject)
  })
  try {
    await Promise.race([once(stream, 'open', { signal }), refused.promise])
    return stream
  } catch (error) {
    // The thrown error reports the failure. Further errors of the stream must not end the process.
    stream.on('error', () => undefined)
    stream.terminate()
    connection.destroy()
    throw toConnectionError(error, whole.href, signal)
  }
}

async function readRefusal(url: string, response: IncomingMessage): Promise<Error> {
  response.setTimeout(connectWithinMs, () => response.destroy())
  const body = await text(response)
  let document: unknown = null
  try {
    document = JSON.parse(body)
  } catch {
    // The body is not a problem document, so the error has only the status.
  }
  return problemOf(url, response.statusCode ?? 0, document)
}
