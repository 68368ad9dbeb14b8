import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { acceptOf } from '@community-lab/contract'

/** An answer of the server. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A request. */
export interface Asked {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly token?: string
  readonly body?: object | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends requests to a server over kept connections. @throws {Error} for an answer that is a refusal. */
export type Ask = (path: string, asked?: Asked) => Promise<Answer>

/** Create the function that asks the server at a Unix socket. */
export function createAsk(socketPath: string): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  return async (path, { method = 'GET', token, body, headers = {} } = {}) => {
    const bytes = body instanceof Buffer ? body : body && Buffer.from(JSON.stringify(body))
    const call = request({
      socketPath,
      agent,
      method,
      path,
      headers: {
        accept: acceptOf(),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(bytes === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': bytes.length }),
        ...headers,
      },
    })
    call.end(bytes)
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const { statusCode: status = 0 } = response
    const answer = { status, headers: response.headers, body: await buffer(response) }
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${answer.body.toString()}`)
    return answer
  }
}
