import { pipeline, Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGzip, gzip as gzipWithCallback } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { rights } from '../domain/rights.ts'
import { addVary } from '../http/caching.ts'

const gzip = promisify(gzipWithCallback)

/** The shortest text that is compressed, in characters. Source: CONFINE controller 1.0.2. */
const minChars = 200

/** Most of the gain of the default level, in half of its time. */
const options = { level: 3 } as const

/**
 * Compress an answer when its client accepts gzip, as CONFINE does. Only what everybody may read is compressed: the length of a compressed secret tells of it, when
 * somebody who sees the length also chooses a part of the answer (BREACH). Clients of this project get answers as they are: they are near, and compression would
 * cost more than the list itself.
 */
export async function compress(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const { right } = request.routeOptions.config
  const isPublic = right !== undefined && rights[right].may === 'anybody'
  const isText =
    (typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length >= minChars
  const isJson = String(reply.getHeader('content-type')).startsWith('application/json')
  if (request.method !== 'GET' || !isPublic || !isJson || !(isText || payload instanceof Readable))
    return payload
  addVary(reply, 'Accept-Encoding')
  if (!acceptsGzip(request.headers['accept-encoding'])) return payload
  void reply.header('content-encoding', 'gzip')
  if (isText) return gzip(payload, options)
  if (!(payload instanceof Readable)) return payload
  const compressed = createGzip(options)
  // An end of either ends the other.
  pipeline(payload, compressed, () => undefined)
  return compressed
}

/** Tell whether a header names gzip, and not with the weight 0. Source: RFC 9110, 12.5.3. */
export function acceptsGzip(header: string | readonly string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((one) => {
      const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase())
      const isRefused = parameters.some((part) => /^q=0(?:\.0{0,3})?$/u.test(part))
      return (coding === 'gzip' || coding === 'x-gzip') && !isRefused
    })
}
