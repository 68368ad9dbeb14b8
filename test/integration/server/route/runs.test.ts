import {
  bool,
  count,
  maxOpenRuns,
  maxRunBytes,
  optional,
  path,
  point,
  routes,
  seconds,
  text,
  type NodeTarget,
  type Run,
  type RunReport,
} from '@community-lab/contract'
import { packFiles } from '@community-lab/contract/files'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEvents } from '../world/events.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function startWithSlice(): Promise<TestbedWorld> {
  const world = await testbeds.start()
  const body = { name: 'mine', template: 'tiny', nodes: ['n1', 'n2'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  return world
}

const runsOfSlice = path(routes.sliceRuns, { id: 1 })
const hello = { name: 'hello', programs: [{ on: [1, 2], script: 'echo hello', env: { KEY: 'x' } }] }

const start = (world: TestbedWorld, body: object) =>
  world.ask(world.red, 'POST', runsOfSlice, { body })

async function read(world: TestbedWorld, id: string): Promise<Run> {
  return (await world.ask(world.red, 'GET', path(routes.run, { id }))).json<Run>()
}

async function runsOfNode(world: TestbedWorld, nodeId: number): Promise<NodeTarget['runs']> {
  const url = path(routes.nodeTarget, { id: nodeId })
  return (await world.ask(world.nodes[nodeId - 1] ?? '', 'GET', url)).json<NodeTarget>().runs
}

const ended = (id: string, nodeId: number, changes: Partial<RunReport> = {}): RunReport => ({
  id,
  sliver: `1@${nodeId}`,
  state: 'ended',
  started_on: '2026-01-01T00:00:00.000Z',
  ended_on: '2026-01-01T00:00:01.000Z',
  exit_code: 3,
  signal: null,
  reason: 'exited',
  message: null,
  output_bytes: 6,
  lost_bytes: 0,
  has_end_row: true,
  ...changes,
})

describe('the points of a run', () => {
  const rtt = point('rtt', { rtt_s: optional(seconds('round trip')), lost: bool(), peer: text() })

  it('are told with the run, and reach its nodes in the order of their fields', async () => {
    await using world = await startWithSlice()
    const made = await start(world, { ...hello, points: [rtt] })
    expect(made.statusCode).toBe(201)
    const { id } = made.json<Run>()
    const { points = [] } = await read(world, id)
    expect(points).toEqual([rtt])
    const [target] = (await runsOfNode(world, 1)) ?? []
    expect(target?.points).toEqual([rtt])
    for (const { fields } of [...points, ...(target?.points ?? [])])
      expect(Object.keys(fields)).toEqual(['rtt_s', 'lost', 'peer'])
    // Its table is there before the first row.
    const listed = await world.ask(world.red, 'GET', `${routes.measurements}?scope=slice-1`)
    expect(listed.json()).toMatchObject([{ name: 'rtt', rows: 0 }])
    // Asked for again, it is the same run; without points it is another one.
    expect((await start(world, { ...hello, points: [rtt] })).json<Run>().id).toBe(id)
    expect((await start(world, hello)).json()).toMatchObject({
      title: 'LAB_RUN_EXISTS',
      details: { member: 'points' },
    })
  })

  it('do not contradict those of another run of the slice, or nothing starts', async () => {
    await using world = await startWithSlice()
    await start(world, { ...hello, points: [rtt] })
    const other = point('rtt', { rtt_s: seconds(), lost: text() })
    const refused = await start(world, { ...hello, name: 'second', points: [other] })
    expect(refused.statusCode).toBe(409)
    expect(refused.json()).toMatchObject({
      title: 'LAB_POINT_CONFLICT',
      details: { point: 'rtt', run: 'hello', reason: 'field lost is text, and was true or false' },
    })
    const more = point('rtt', { rtt_s: seconds(), ttl: count() })
    const third = await start(world, { ...hello, name: 'third', points: [more] })
    expect(third.statusCode).toBe(201)
  })
})

describe('a run', () => {
  it('reaches the nodes of its slivers with its program, until they have reported its end', async () => {
    await using world = await startWithSlice()
    const made = await start(world, { ...hello, limit_ms: 5000 })
    expect(made.statusCode).toBe(201)
    const run = made.json<Run>()
    expect(made.headers.location).toBe(run.uri)
    expect(run).toMatchObject({ name: 'hello', slice: { id: 1 }, limit_ms: 5000, ended_on: null })
    expect(run.parts.map(({ state, node }) => [node.name, state])).toEqual([
      ['n1', 'waiting'],
      ['n2', 'waiting'],
    ])
    expect(await runsOfNode(world, 1)).toEqual([
      {
        ...{ id: run.id, sliver: '1@1', slice_instance_sn: 0, instance_sn: 0 },
        program: { script: 'echo hello', env: { KEY: 'x' } },
        ...{ start_at: null, limit_ms: 5000, is_cancelled: false },
      },
    ])
    await world.report(1, { runs: [ended(run.id, 1)] })
    // An end is told once: a node that was restored to an earlier time does not undo it.
    await world.report(1, { runs: [ended(run.id, 1, { state: 'running', exit_code: null })] })
    expect(await runsOfNode(world, 1)).toEqual([])
    const half = await read(world, run.id)
    expect(half.parts[0]).toMatchObject({ state: 'ended', exit_code: 3, output_bytes: 6 })
    expect(half.ended_on).toBeNull()
    // A report about the sliver of another node counts for nothing.
    await world.report(1, { runs: [ended(run.id, 2)] })
    expect((await read(world, run.id)).parts[1]?.state).toBe('waiting')
    await world.report(2, { runs: [ended(run.id, 2)] })
    expect((await read(world, run.id)).ended_on).not.toBeNull()
  })

  it('has ended when its nodes report their ends at the same moment', async () => {
    await using world = await startWithSlice()
    for (let round = 0; round < 12; round++) {
      const { id } = (await start(world, { ...hello, name: `r${round}` })).json<Run>()
      await Promise.all([1, 2].map((node) => world.report(node, { runs: [ended(id, node)] })))
      expect((await read(world, id)).ended_on).not.toBeNull()
    }
  })

  it('that is asked for again is the same, and another one of its name is refused', async () => {
    await using world = await startWithSlice()
    const first = (await start(world, hello)).json<Run>()
    const again = await start(world, hello)
    expect([again.statusCode, again.json<Run>().id]).toEqual([200, first.id])
    const other = await start(world, { ...hello, limit_ms: 1000 })
    expect(other.json()).toMatchObject({
      code: 'LAB_RUN_EXISTS',
      details: { run: 'hello', member: 'limit_ms' },
    })
  })

  it('has files that its group has uploaded: its nodes read them until it has ended, and no other node does', async () => {
    await using world = await startWithSlice()
    const archive = await packFiles({ probe: 'x' })
    const sha256 = createHash('sha256').update(archive).digest('hex')
    const withFiles = { ...hello, programs: [{ on: [1], script: './probe', files_sha256: sha256 }] }
    const early = await start(world, withFiles)
    expect(early.json()).toMatchObject({ title: 'LAB_DATA_UNKNOWN', details: { sha256 } })
    const uri = path(routes.groupData, { id: 2, hash: sha256 })
    const headers = { 'content-type': 'application/octet-stream' }
    await world.ask(world.red, 'PUT', uri, { body: archive, headers })
    const run = (await start(world, withFiles)).json<Run>()
    const [target] = (await runsOfNode(world, 1)) ?? []
    expect(target?.files).toEqual({ uri, sha256, size_bytes: archive.length })
    expect(target?.program).toEqual({ script: './probe' })
    const readsOf = async (): Promise<number[]> => {
      const answers = world.nodes.map((token) => world.ask(token, 'GET', uri))
      return (await Promise.all(answers)).map(({ statusCode }) => statusCode)
    }
    expect(await readsOf()).toEqual([200, 403])
    await world.report(1, { runs: [ended(run.id, 1)] })
    expect(await readsOf()).toEqual([403, 403])
    const windows = await start(world, { name: 'w', programs: [{ on: [1], script: 'ls\r\nls' }] })
    expect(windows.json<{ detail: string }>().detail).toContain('line ends of Windows')
  })

  it('is bounded by bytes and by number', async () => {
    await using world = await startWithSlice()
    const large = {
      name: 'large',
      programs: [{ on: [1], script: 'ü'.repeat(maxRunBytes / 2 + 1) }],
    }
    expect((await start(world, large)).json()).toMatchObject({ code: 'LAB_RUN_TOO_LARGE' })
    for (let index = 0; index < maxOpenRuns; index++)
      expect((await start(world, { ...hello, name: `r${index}` })).statusCode).toBe(201)
    expect((await start(world, hello)).json()).toMatchObject({ code: 'LAB_RUN_TOO_MANY' })
  })

  it.each([
    [{ on: [1], script: 'a', argv: ['b'] }, '/programs/0'],
    [{ on: [1] }, '/programs/0'],
    [{ on: [1], argv: ['b'], args: ['c'] }, '/programs/0/args'],
    [{ on: [1, 3], script: 'a' }, '/programs/0/on/1'],
  ])('%j is refused, with the place of the fault', async (program, pointer) => {
    await using world = await startWithSlice()
    const answer = await start(world, { name: 'wrong', programs: [program] })
    expect(answer.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer }] },
    })
  })

  it('that is cancelled tells its nodes, and ends when they have reported it', async () => {
    await using world = await startWithSlice()
    const { id } = (await start(world, hello)).json<Run>()
    const cancelled = await world.ask(world.red, 'POST', path(routes.runCancel, { id }))
    expect(cancelled.json<Run>().cancelled_on).not.toBeNull()
    expect(await runsOfNode(world, 1)).toMatchObject([{ id, is_cancelled: true }])
  })

  it('ends with a sliver that is removed, and is gone with its slice', async () => {
    await using world = await startWithSlice()
    const { id } = (await start(world, hello)).json<Run>()
    await world.ask(world.red, 'DELETE', path(routes.sliver, { id: '1@2' }))
    expect((await read(world, id)).parts[1]).toMatchObject({ state: 'ended', reason: 'removed' })
    await world.ask(world.red, 'DELETE', path(routes.slice, { id: 1 }))
    const gone = await world.ask(world.red, 'GET', path(routes.run, { id }))
    expect(gone.statusCode).toBe(404)
    expect(await runsOfNode(world, 1)).toEqual([])
  })

  it('is listed for members of its group alone, by name, and shows its programs to them', async () => {
    await using world = await startWithSlice()
    const { id } = (await start(world, hello)).json<Run>()
    const list = async (token: string, query = '') =>
      (await world.ask(token, 'GET', `${routes.runs}${query}`)).json<Run[]>().map((run) => run.id)
    expect(await list(world.red, '?/name="hello"')).toEqual([id])
    expect(await list(world.red, '?/name="other"')).toEqual([])
    expect(await list(world.operator)).toEqual([id])
    expect(await list(world.blue)).toEqual([])
    const programs = await world.ask(world.red, 'GET', path(routes.runPrograms, { id }))
    expect(programs.json()).toMatchObject({ programs: hello.programs })
    const foreign = await world.ask(world.blue, 'GET', path(routes.runPrograms, { id }))
    expect(foreign.statusCode).toBe(403)
  })

  it('has events for members of its group and operators alone, and none has a program', async () => {
    await using world = await startWithSlice()
    const readers = [
      await readEvents(world, { token: world.red }),
      await readEvents(world, { token: world.operator }),
      await readEvents(world, { token: world.blue }),
      await readEvents(world),
    ]
    const { id } = (await start(world, hello)).json<Run>()
    await world.ask(world.red, 'POST', path(routes.runCancel, { id }))
    await world.ask(world.red, 'DELETE', path(routes.slice, { id: 1 }))
    const told = await Promise.all(
      readers.map(async (reader) => {
        const seen: string[] = []
        for (;;) {
          const event = await reader.next()
          if (event?.event !== 'change') continue
          const { kind, action, object } = event.data
          expect(JSON.stringify(object)).not.toContain('echo hello')
          if (kind === 'run') seen.push(action)
          if (kind === 'slice' && action === 'deleted') return seen
        }
      }),
    )
    const all = ['created', 'updated', 'deleted']
    expect(told).toEqual([all, all, [], []])
    for (const reader of readers) await reader[Symbol.asyncDispose]()
  })
})
