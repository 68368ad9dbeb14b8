import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { endWhenStalled } from './streams.ts'

/**
 * Answer with a file that never changes, or with the part from a byte on that the request asks for (`Range: bytes=N-`), so that a download can go on after a
 * break. Other ranges get the whole file. Source: RFC 9110, section 14.
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { file, etag, type }: { readonly file: string; readonly etag: string; readonly type: string },
): Promise<FastifyReply> {
  const { size } = await stat(file)
  void reply.type(type).headers({ etag: `"${etag}"`, 'accept-ranges': 'bytes' })
  const from = Number(/^bytes=(\d{1,15})-$/u.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from > 0 && from >= size)
    return reply.code(416).header('content-range', `bytes */${size}`).send()
  endWhenStalled(reply.raw)
  if (from > 0) void reply.code(206).header('content-range', `bytes ${from}-${size - 1}/${size}`)
  return reply.header('content-length', size - from).send(createReadStream(file, { start: from }))
}
