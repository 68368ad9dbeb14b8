import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { acceptOf, LabError, readAnswer, type Answer } from '@community-lab/contract'
import type { Static, TSchema } from 'typebox'

/** Options of a request. */
export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** A JSON document, or bytes with their type. */
  readonly body?: unknown
  readonly file?: { readonly bytes: Uint8Array; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** A client of a server's Unix socket. */
export interface ServerClient {
  /** Send a request, and check the answer. @throws {@link LabError} the server's error, LAB_CONNECTION_FAILED, LAB_RESPONSE_INVALID. */
  ask<S extends TSchema>(schema: S, path: string, options: RequestOptions): Promise<Static<S>>
  /** Send a request, and return the answer, whatever it is. */
  answer(path: string, options: RequestOptions): Promise<Answer>
  withToken(token: string): ServerClient
}

/**
 * Create a client of the server at a Unix socket. Each request has the `token`. The command line's client, which works with any server, is in another package.
 */
export function createServerClient(socket: string, token: string | null = null): ServerClient {
  async function send(path: string, options: RequestOptions): Promise<Answer> {
    const payload = payloadOf(options)
    const { status, body } = await exchange(socket, path, {
      method: options.method ?? 'GET',
      headers: {
        host: 'localhost',
        accept: acceptOf(),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(payload === null
          ? {}
          : { 'content-type': payload.type, 'content-length': `${payload.bytes.length}` }),
        ...options.headers,
      },
      bytes: payload?.bytes ?? null,
      signal: options.signal,
    })
    return { url: path, status, body }
  }
  return {
    ask: async (schema, path, options) => readAnswer(schema, await send(path, options)),
    answer: send,
    withToken: (other) => createServerClient(socket, other),
  }
}

interface Exchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array | null
  readonly signal: AbortSignal
}

function exchange(
  socketPath: string,
  path: string,
  options: Exchange,
): Promise<Omit<Answer, 'url'>> {
  const { method, headers, bytes, signal } = options
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, headers, signal, agent: false }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject)
    })
    asked.on('error', (cause) => {
      if (signal.aborted) reject(cause)
      const details = { url: `unix:${socketPath}`, reason: cause.message, attempts: 1 }
      reject(new LabError('LAB_CONNECTION_FAILED', details, { cause }))
    })
    asked.end(bytes ?? undefined)
  })
}

function payloadOf(options: RequestOptions): { bytes: Uint8Array; type: string } | null {
  if (options.file !== undefined) return options.file
  if (options.body === undefined) return null
  return { bytes: Buffer.from(JSON.stringify(options.body)), type: 'application/json' }
}
