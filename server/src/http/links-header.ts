import type { FastifyReply } from 'fastify'

/** Add Link headers to the present ones. */
export function addLinks(reply: FastifyReply, links: readonly string[]): void {
  const before = reply.getHeader('link')
  const all = [...(typeof before === 'string' ? [before] : []), ...links]
  void reply.header('link', all.join(', '))
}
