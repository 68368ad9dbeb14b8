import { routes, Sliver, SliverCreate, SliverPatch } from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { actingUser, permitGroup } from '../access/permit.ts'
import { answerList } from '../http/list.ts'
import { readSlice } from '../registry/write/slices.ts'
import {
  createSliver,
  deleteSliver,
  patchSliver,
  readSliver,
  updateSliver,
} from '../registry/write/slivers.ts'
import { answerCreated, ifMatchOf, pattern, type ById, type RouteContext } from './context.ts'

const tags = ['slivers']

/** Slivers: a slice's container on a node. */
export function sliverRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const { core } = registry
  /** The id of the sliver that a request names, if its asker may do this to it. */
  const permitted = async (
    request: FastifyRequest<{ Params: { id: string } }>,
    action: string,
  ): Promise<string> => {
    actingUser(request.principal, action)
    const { id, slice } = await readSliver(core, request.params.id)
    permitGroup(request.principal, action, (await readSlice(core, slice.id)).group.id)
    return id
  }

  app.get(
    routes.slivers,
    { schema: { tags, summary: 'List slivers', response: { 200: Type.Array(Sliver) } } },
    async (request, reply) =>
      answerList(request, reply, { schema: Sliver, objects: await core.read.slivers(core.db) }),
  )
  app.post<{ Body: SliverCreate }>(
    routes.slivers,
    { schema: { tags, summary: 'Add a sliver', body: SliverCreate, response: { 201: Sliver } } },
    async (request, reply) => {
      actingUser(request.principal, 'add a sliver')
      const slice = await readSlice(core, request.body.slice.id)
      permitGroup(request.principal, 'add a sliver', slice.group.id)
      return answerCreated(reply, await createSliver(core, request.body))
    },
  )
  app.get(
    pattern(routes.sliver),
    { schema: { tags, summary: 'Read a sliver', response: { 200: Sliver } } },
    (request: ById) => readSliver(core, request.params.id),
  )
  for (const method of ['PATCH', 'PUT'] as const)
    app.route<{ Params: { id: string }; Body: SliverPatch }>({
      method,
      url: pattern(routes.sliver),
      schema: { tags, summary: 'Change a sliver', body: SliverPatch, response: { 200: Sliver } },
      handler: async (request) => {
        const id = await permitted(request, 'change a sliver')
        return patchSliver(core, id, request.body, ifMatchOf(request))
      },
    })
  app.delete(
    pattern(routes.sliver),
    { schema: { tags, summary: 'Remove a sliver' } },
    async (request: ById, reply) => {
      await deleteSliver(core, await permitted(request, 'remove a sliver'), ifMatchOf(request))
      return reply.code(204).send()
    },
  )
  app.post(
    pattern(routes.sliverUpdate),
    { schema: { tags, summary: 'Make a sliver anew, once', response: { 202: Sliver } } },
    async (request: ById, reply) => {
      const id = await permitted(request, 'update a sliver')
      void reply.code(202)
      return updateSliver(core, id)
    },
  )
}
