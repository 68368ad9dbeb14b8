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
import { chooseGroup } from '../access/choose-group.ts'
import type { Principal } from '../access/principal.ts'
import { groupsWithRight } from '../domain/asker.ts'
import { listSlices } from '../registry/read/lists.ts'
import { ensureSlice } from '../registry/write/ensure.ts'
import {
  createSlice,
  deleteSlice,
  patchSlice,
  readSlice,
  renewSlice,
  resetSlice,
} from '../registry/write/slices.ts'
import { ifMatchOf, numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['slices']
const making = { right: 'make a slice', needs: 'slices' } as const

/** The body of a PUT of a slice. CONFINE's clients send the whole object back; these members of it can be changed. */
const SlicePut = Type.Object({
  description: Type.Optional(SlicePatch.properties.description),
  properties: Type.Optional(SlicePatch.properties.properties),
  set_state: Type.Optional(SlicePatch.properties.set_state),
})

/** Slices: experiments of a group. */
export function sliceRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const idOf = (request: FastifyRequest<{ Params: { id: string } }>): number =>
    numericId(request, 'slice')

  /** Return the group of an existing slice when the asker may change it; null means that the asker chooses a group. */
  const ownerOf = async (principal: Principal, name: string): Promise<number | null> => {
    const [slice] = await registry.read.slices(registry.db, { names: [name] })
    const own = groupsWithRight(making.right, principal)
    return slice !== undefined && own.includes(slice.group.id) ? slice.group.id : null
  }

  listRoute(app, {
    url: routes.slices,
    right: 'read the testbed',
    tags,
    summary: 'List slices',
    source: listSlices(registry),
  })
  createRoute(app, {
    url: routes.slices,
    right: 'make a slice',
    tags,
    summary: 'Make an empty slice',
    body: SliceCreate,
    schema: Slice,
    create: async ({ principal, body: { group, ...body } }) => {
      const groupId = await chooseGroup(registry.db, principal, { ...making, named: group?.id })
      return createSlice(registry, groupId, body)
    },
  })
  app.put<{ Body: SliceSpec }>(
    routes.sliceEnsure,
    {
      config: { right: 'make a slice' },
      schema: {
        tags,
        summary: 'Make a whole slice what it should be, by name; or refuse all of it',
        body: SliceSpec,
        response: { 200: SliceWithSlivers, 201: SliceWithSlivers },
      },
    },
    async ({ principal, body }, reply) => {
      const groupId =
        (body.group === undefined ? await ownerOf(principal, body.name) : null) ??
        (await chooseGroup(registry.db, principal, { ...making, named: body.group }))
      const { created, ...answer } = await ensureSlice(registry, groupId, body)
      if (created) void reply.code(201).header('location', answer.slice.uri)
      return answer
    },
  )
  readRoute(app, {
    url: pattern(routes.slice),
    right: 'read the testbed',
    tags,
    summary: 'Read a slice',
    schema: Slice,
    read: (request) => readSlice(registry, idOf(request)),
  })
  app.patch<{ Params: { id: string }; Body: SlicePatch }>(
    pattern(routes.slice),
    {
      config: { right: 'change a slice' },
      schema: { tags, summary: 'Change a slice', body: SlicePatch, response: { 200: Slice } },
    },
    (request) => patchSlice(registry, idOf(request), request.body, ifMatchOf(request)),
  )
  app.put<{ Params: { id: string }; Body: Static<typeof SlicePut> }>(
    pattern(routes.slice),
    {
      config: { right: 'change a slice' },
      schema: { tags, summary: 'Replace a slice', body: SlicePut, response: { 200: Slice } },
    },
    async (request) => {
      const slice = await readSlice(registry, idOf(request))
      const { set_state: setState, description = '', properties = {} } = request.body
      // A PUT of an old copy must not start or stop anything. Source: CONFINE.
      if (setState !== undefined && setState !== slice.set_state)
        throw new LabError('LAB_SLICE_SET_STATE_BY_PUT', { slice: slice.name })
      return patchSlice(registry, slice.id, { description, properties }, ifMatchOf(request))
    },
  )
  deleteRoute(app, {
    url: pattern(routes.slice),
    right: 'remove a slice',
    tags,
    summary: 'Remove a slice and its slivers',
    remove: (request) => deleteSlice(registry, idOf(request), ifMatchOf(request)),
  })
  app.post(
    pattern(routes.sliceRenew),
    {
      config: { right: 'renew a slice' },
      schema: { tags, summary: 'Let a slice live on', response: { 200: Slice } },
    },
    (request: ById) => renewSlice(registry, idOf(request)),
  )
  app.post(
    pattern(routes.sliceReset),
    {
      config: { right: 'reset a slice' },
      schema: { tags, summary: 'Make its slivers again, once', response: { 202: Slice } },
    },
    (request: ById, reply) => {
      void reply.code(202)
      return resetSlice(registry, idOf(request))
    },
  )
}
