import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { readByteRange } from './byte-range.ts'
import { endWhenStalled } from './streams.ts'

/**
 * Answer with a file that never changes, or with the bytes of it that the request asks for: a download goes on after a break, and readers of Parquet fetch the
 * columns that they need. Source: RFC 9110, sections 13.1.5 and 14.
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { file, etag, type }: { readonly file: string; readonly etag: string; readonly type: string },
): Promise<FastifyReply> {
  const { size } = await stat(file)
  void reply.type(type).headers({ etag: `"${etag}"`, 'accept-ranges': 'bytes' })
  const { 'if-range': same, range } = request.headers
  // The part of another file than the one that the client has begun is of no use.
  const isSame = same === undefined || same === `"${etag}"`
  const part = isSame ? readByteRange(range, size) : null
  if (part === 'none') return reply.code(416).header('content-range', `bytes */${size}`).send()
  endWhenStalled(reply.raw)
  if (part === null) return reply.header('content-length', size).send(createReadStream(file))
  const { from, to } = part
  return reply
    .code(206)
    .header('content-range', `bytes ${from}-${to}/${size}`)
    .header('content-length', to - from + 1)
    .send(createReadStream(file, { start: from, end: to }))
}
