import type { FastifyReply, FastifyRequest } from 'fastify'
import { isConfineClient } from '../confine/client.ts'
import { createHeldTexts } from '../http/held-texts.ts'
import { anySite, createKeptList, type WrittenList } from '../http/kept-list.ts'
import type { KeptTexts } from '../http/list.ts'
import type { Kept, Page } from '../registry/read/list-source.ts'

/** The most bytes of texts of one list that slow readers may leave in memory. */
const mostHeldBytes = 32 * 1024 * 1024

/** Keep the objects of a list as texts: in one form for clients of this project, and in another for those of CONFINE, when the first of them asks. */
export function createKeptTexts<T>(
  kept: Kept<T>,
): (request: FastifyRequest, reply: FastifyReply) => KeptTexts {
  const held = createHeldTexts(mostHeldBytes)
  const lists = new Map<boolean, (page: Page) => Promise<WrittenList>>()
  return (request, reply) => {
    const isConfine = isConfineClient(request)
    const read = lists.get(isConfine) ?? createKeptList({ kept, write: writerOf(request, reply) })
    lists.set(isConfine, read)
    return { read, held }
  }
}

/** Return what writes an object as the answer has it: by the route's own serializer, so a member that the schema does not name never leaves the server. */
function writerOf(request: FastifyRequest, reply: FastifyReply): (object: unknown) => string {
  const serialize = reply.getSerializationFunction('200')
  const show = isConfineClient(request)
    ? request.routeOptions.config.confine?.shows['200']
    : undefined
  return (object) => {
    const list = show === undefined ? [object] : show([object], anySite)
    const text =
      serialize === undefined
        ? JSON.stringify(list)
        : String(Reflect.apply(serialize, undefined, [list]))
    // Without the brackets around the list.
    return text.slice(1, -1)
  }
}
