import { LabError, path, routes, type Run } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'

/** A run of the testbed in slice `first`, on n1 alone, that has not ended. */
export function aRun(name: string): Run {
  const id = `${name}-20260504T120000Z-0123456789ab`
  const part: Run['parts'][number] = {
    sliver: { uri: path(routes.sliver, { id: '1@1' }), id: '1@1' },
    node: { uri: path(routes.node, { id: 1 }), id: 1, name: 'n1' },
    program: 0,
    state: 'running',
    started_on: '2026-05-04T12:00:00Z',
    ended_on: null,
    exit_code: null,
    signal: null,
    reason: null,
    message: null,
    output_bytes: 0,
    lost_bytes: 0,
    has_end_row: false,
  }
  return {
    uri: path(routes.run, { id }),
    id,
    name,
    slice: { uri: path(routes.slice, { id: 1 }), id: 1 },
    group: { uri: path(routes.group, { id: 1 }), id: 1 },
    created_by: null,
    created_on: '2026-05-04T12:00:00Z',
    start_at: null,
    limit_ms: null,
    cancelled_on: null,
    ended_on: null,
    parts: [part],
  }
}

/** Add runs of the testbed. */
export function addRuns(app: FastifyInstance, runs: ReadonlyMap<string, Run>): void {
  app.get<{ Querystring: Record<string, string | undefined> }>(routes.runs, ({ query }) => {
    const name = query['/name']
    return [...runs.values()].filter(
      (run) => name === undefined || JSON.stringify(run.name) === name,
    )
  })
  app.get<{ Params: { id: string } }>('/api/runs/:id/', ({ params: { id } }) => {
    const run = runs.get(id)
    if (run === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'run', id })
    return run
  })
}
