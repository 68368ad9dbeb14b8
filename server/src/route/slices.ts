import {
  LabError,
  routes,
  Slice,
  SliceCreate,
  SlicePatch,
  SliceSpec,
  SliceWithSlivers,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { actingUser, permitGroup } from '../access/permit.ts'
import { answerList } from '../http/list.ts'
import { ensureSlice } from '../registry/write/ensure.ts'
import {
  createSlice,
  deleteSlice,
  patchSlice,
  readSlice,
  renewSlice,
  resetSlice,
} from '../registry/write/slices.ts'
import {
  answerCreated,
  ifMatchOf,
  numericId,
  pattern,
  type ById,
  type RouteContext,
} from './context.ts'

const tags = ['slices']

/** A slice as a PUT brings it: CONFINE's clients send back the whole object, of which these members can be changed. */
const SlicePut = Type.Object({
  description: Type.Optional(SlicePatch.properties.description),
  properties: Type.Optional(SlicePatch.properties.properties),
  set_state: Type.Optional(SlicePatch.properties.set_state),
})

/** Slices: experiments of a group. */
export function sliceRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const { core } = registry
  /** The slice that a request names, if its asker may do this to it. */
  const permitted = async (
    request: FastifyRequest<{ Params: { id: string } }>,
    action: string,
  ): Promise<Slice> => {
    actingUser(request.principal, action)
    const slice = await readSlice(core, numericId(request, 'slice'))
    permitGroup(request.principal, action, slice.group.id)
    return slice
  }

  app.get(
    routes.slices,
    { schema: { tags, summary: 'List slices', response: { 200: Type.Array(Slice) } } },
    async (request, reply) =>
      answerList(request, reply, { schema: Slice, objects: await core.read.slices(core.db) }),
  )
  app.post<{ Body: SliceCreate }>(
    routes.slices,
    {
      schema: { tags, summary: 'Make an empty slice', body: SliceCreate, response: { 201: Slice } },
    },
    async (request, reply) => {
      const { groupId } = actingUser(request.principal, 'make a slice')
      return answerCreated(reply, await createSlice(core, groupId, request.body))
    },
  )
  app.put<{ Body: SliceSpec }>(
    routes.sliceEnsure,
    {
      schema: {
        tags,
        summary: 'Make a whole slice what it should be, by name; or refuse all of it',
        body: SliceSpec,
        response: { 200: SliceWithSlivers, 201: SliceWithSlivers },
      },
    },
    async (request, reply) => {
      const { groupId } = actingUser(request.principal, 'make a slice')
      const { created, ...answer } = await ensureSlice(core, groupId, request.body)
      if (created) void reply.code(201).header('location', answer.slice.uri)
      return answer
    },
  )
  app.get(
    pattern(routes.slice),
    { schema: { tags, summary: 'Read a slice', response: { 200: Slice } } },
    (request: ById) => readSlice(core, numericId(request, 'slice')),
  )
  app.patch<{ Params: { id: string }; Body: SlicePatch }>(
    pattern(routes.slice),
    { schema: { tags, summary: 'Change a slice', body: SlicePatch, response: { 200: Slice } } },
    async (request) => {
      const { id } = await permitted(request, 'change a slice')
      return patchSlice(core, id, request.body, ifMatchOf(request))
    },
  )
  app.put<{ Params: { id: string }; Body: Static<typeof SlicePut> }>(
    pattern(routes.slice),
    { schema: { tags, summary: 'Replace a slice', body: SlicePut, response: { 200: Slice } } },
    async (request) => {
      const slice = await permitted(request, 'change a slice')
      const { set_state: setState, description = '', properties = {} } = request.body
      // Source: CONFINE, a PUT of an old copy must not start or stop anything.
      if (setState !== undefined && setState !== slice.set_state)
        throw new LabError('LAB_SLICE_SET_STATE_BY_PUT', { slice: slice.name })
      return patchSlice(core, slice.id, { description, properties }, ifMatchOf(request))
    },
  )
  app.delete(
    pattern(routes.slice),
    { schema: { tags, summary: 'Remove a slice and its slivers' } },
    async (request: ById, reply) => {
      const { id } = await permitted(request, 'remove a slice')
      await deleteSlice(core, id, ifMatchOf(request))
      return reply.code(204).send()
    },
  )
  app.post(
    pattern(routes.sliceRenew),
    { schema: { tags, summary: 'Let a slice live on', response: { 200: Slice } } },
    async (request: ById) => renewSlice(core, (await permitted(request, 'renew a slice')).id),
  )
  app.post(
    pattern(routes.sliceReset),
    { schema: { tags, summary: 'Make its slivers anew, once', response: { 202: Slice } } },
    async (request: ById, reply) => {
      const { id } = await permitted(request, 'reset a slice')
      void reply.code(202)
      return resetSlice(core, id)
    },
  )
}
