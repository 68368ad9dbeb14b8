import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import process from 'node:process'
import {
  formatLine,
  LabError,
  path,
  routes,
  runOutputMeasurement,
  type Run,
  type RunCreate,
  type RunProgram,
  type Sliver as SliverObject,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import type { Archives } from './data.ts'
import type { DropbearSliver } from './sliver.ts'

const aPart: Run['parts'][number] = {
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

/** A run of the testbed in slice `first`, on n1 alone, that has not ended. */
export function aRun(name: string): Run {
  const id = `${name}-20260504T120000Z-0123456789ab`
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
    parts: [{ ...aPart }],
  }
}

/** What runs need of a world. */
export interface RunsWorld {
  readonly runs: Map<string, Run>
  readonly slivers: readonly DropbearSliver[]
  readonly objects: readonly SliverObject[]
  readonly archives: Archives
  tell(event: object): void
}

/** Add runs of the testbed. Their programs run in the slivers of the world. */
export function addRuns(app: FastifyInstance, world: RunsWorld): void {
  const { runs } = world
  const programs = new Map<string, ChildProcess[]>()
  const get = (id: string): Run => {
    const run = runs.get(id)
    if (run === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'run', id })
    return run
  }
  app.get<{ Querystring: Record<string, string | undefined> }>(routes.runs, ({ query }) => {
    const name = query['/name']
    return [...runs.values()].filter(
      (run) => name === undefined || JSON.stringify(run.name) === name,
    )
  })
  app.get<{ Params: { id: string } }>('/api/runs/:id/', ({ params: { id } }) => get(id))
  app.post<{ Body: RunCreate }>('/api/slices/1/runs/', ({ body }, reply) => {
    const known = [...runs.values()].find(({ name }) => name === body.name)
    if (known !== undefined) return known
    for (const { files_sha256: files = null } of body.programs) world.archives.require(files)
    const run: Run = {
      ...aRun(body.name),
      limit_ms: body.limit_ms ?? null,
      points: body.points ?? [],
      parts: [],
    }
    runs.set(run.id, run)
    programs.set(
      run.id,
      body.programs.flatMap((program, index) =>
        program.on.map((nodeId) => startPart(world, run, { program, index, nodeId })),
      ),
    )
    return reply.code(201).send(run)
  })
  app.post<{ Params: { id: string } }>('/api/runs/:id/ctl/cancel/', ({ params: { id } }, reply) => {
    const run = get(id)
    run.cancelled_on ??= new Date().toISOString()
    for (const { pid, exitCode } of programs.get(id) ?? [])
      if (pid !== undefined && exitCode === null) process.kill(-pid, 'SIGTERM')
    return reply.code(202).send(run)
  })
}

interface StartedPart {
  readonly program: RunProgram
  readonly index: number
  readonly nodeId: number
}

/** Start the part of a run on one node, and note how it ends. */
function startPart(world: RunsWorld, run: Run, { program, index, nodeId }: StartedPart) {
  const sliver = world.slivers[nodeId - 1]
  const object = world.objects[nodeId - 1]
  if (sliver === undefined || object === undefined) throw new Error(`no node ${nodeId}`)
  const { uri, id } = object
  const part: Run['parts'][number] = {
    ...aPart,
    sliver: { uri, id },
    node: { uri: path(routes.node, { id: nodeId }), id: nodeId, name: `n${nodeId}` },
    program: index,
    started_on: new Date().toISOString(),
  }
  run.parts.push(part)
  const own = { COMMUNITY_LAB_RUN: run.id, COMMUNITY_LAB_SLIVER: id }
  const { files_sha256: files } = program
  const archive = files === undefined ? null : world.archives.get(files)
  const child = sliver.start(program, own, archive)
  const output: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
  child.once('close', (code, signal) => {
    // The test is over.
    if (sliver.isStopped) return
    const text = Buffer.concat(output).toString()
    const row = { run: run.id, at_byte: 0, text }
    const lines = [
      ...(text === '' ? [] : [formatLine(runOutputMeasurement, row)]),
      `run_end run="${run.id}" exit_code=${code ?? 143}`,
    ]
    // It follows the last sample of the program, because a pipe keeps the order.
    const write = { script: 'printf "%s\\n" "$@" > /run/community-lab/measure', args: lines }
    sliver.start(write, { COMMUNITY_LAB_RUN: `${run.id}-end` }).once('close', () => {
      Object.assign(part, {
        state: 'ended',
        ended_on: new Date().toISOString(),
        exit_code: code,
        signal: signal === null ? null : constants.signals[signal],
        reason: run.cancelled_on === null ? 'exited' : 'cancelled',
        output_bytes: Buffer.byteLength(text),
        has_end_row: true,
      })
      if (run.parts.every(({ state }) => state === 'ended')) run.ended_on = part.ended_on
      world.tell({ kind: 'run', action: 'updated', object_id: run.id, object: run })
    })
  })
  return child
}
