import {
  routes,
  Run,
  RunCreate,
  RunPrograms,
  sliceScope,
  storedFieldsOf,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { findRefusal, groupsWithRight } from '../domain/asker.ts'
import { answerList } from '../http/list.ts'
import { listRuns } from '../registry/read/run-list.ts'
import {
  cancelRun,
  createRun,
  readRun,
  readRunPrograms,
  type DeclarePoints,
} from '../registry/write/runs.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['runs']

/** Runs: programs on slivers of a slice. */
export function runRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const declare: DeclarePoints = async (sliceId, points) => {
    if (points.length === 0) return null
    const measurements = points.map((point) => {
      return { name: point.name, fields: storedFieldsOf(point) }
    })
    return app.telemetry.declare({ scope: sliceScope(sliceId), measurements })
  }
  listRoute(app, {
    url: routes.runs,
    right: 'list runs',
    tags,
    summary: 'List the runs of the slices of the asker’s groups, newest first; operators: all',
    source: {
      schema: Run,
      listFor(principal) {
        if (findRefusal('read a run', principal, {}) === null) return listRuns(registry, 'all')
        return listRuns(registry, { groupIds: groupsWithRight('read a run', principal) })
      },
    },
  })
  app.get(
    pattern(routes.sliceRuns),
    {
      config: { right: 'list a slice’s runs', heavy: true },
      schema: {
        tags,
        summary: 'List the runs of a slice, newest first',
        response: { 200: Type.Array(Run) },
      },
    },
    (request: ById, reply) =>
      answerList(request, reply, {
        source: listRuns(registry, { sliceId: numericId(request, 'slice') }),
      }),
  )
  app.post(
    pattern(routes.sliceRuns),
    {
      config: { right: 'start a run' },
      schema: {
        tags,
        summary: 'Start programs on slivers of a slice; the same run when it was started before',
        body: RunCreate,
        response: { 200: Run, 201: Run },
      },
    },
    async (request: FastifyRequest<{ Params: { id: string }; Body: RunCreate }>, reply) => {
      const sliceId = numericId(request, 'slice')
      const { run, isNew } = await createRun(registry, sliceId, request.body, declare)
      if (isNew) void reply.code(201).header('location', run.uri)
      return run
    },
  )
  readRoute(app, {
    url: pattern(routes.run),
    right: 'read a run',
    tags,
    summary: 'Read a run, and what became of it on each sliver',
    schema: Run,
    read: ({ params }) => readRun(registry, params.id),
  })
  readRoute(app, {
    url: pattern(routes.runPrograms),
    right: 'read a run',
    tags,
    summary: 'Read the programs of a run',
    schema: RunPrograms,
    read: ({ params }) => readRunPrograms(registry, params.id),
  })
  app.post(
    pattern(routes.runCancel),
    {
      config: { right: 'cancel a run' },
      schema: { tags, summary: 'End a run on all its slivers', response: { 202: Run } },
    },
    async ({ params }: ById, reply) => {
      void reply.code(202)
      return cancelRun(registry, params.id)
    },
  )
}
