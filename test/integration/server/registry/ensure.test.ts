import {
  path,
  routes,
  type ErrorCode,
  type Node,
  type Slice,
  type SliceWithSlivers,
  type Sliver,
  type Template,
} from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresKinds } from '../../../support/postgres.ts'
import {
  aSliverReport,
  image,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'

const spec = { name: 'hello', template: 'tiny', nodes: ['n1', 'n2'] }

async function ensure(world: TestbedWorld, body: object, token = world.red) {
  const response = await world.ask(token, 'PUT', routes.sliceEnsure, { body })
  return { status: response.statusCode, ...response.json<SliceWithSlivers & Problem>() }
}
interface Problem {
  readonly code: ErrorCode
  readonly detail: string
  readonly details: object
  readonly requestId: string
}

async function addTemplate(world: TestbedWorld, name: string): Promise<void> {
  const body = { name, node_archs: ['x86_64'] }
  const made = await world.ask(world.operator, 'POST', routes.templates, { body })
  const upload = path(routes.templateUploadImage, { id: made.json<Template>().id })
  const headers = { 'content-type': 'application/gzip' }
  await world.ask(world.operator, 'PUT', upload, { body: image, headers })
}

/** Everything that a refusal must leave as it was. */
async function everything(world: TestbedWorld): Promise<unknown[]> {
  const lists = [routes.nodes, routes.slices, routes.slivers]
  const answers = lists.map(async (list) => (await world.ask(null, 'GET', list)).headers.etag)
  return [...(await Promise.all(answers)), await world.context.feed.range()]
}

describe.each(postgresKinds)('a slice on %s PostgreSQL', (kind) => {
  let testbeds: Testbeds
  beforeAll(async () => {
    testbeds = await startTestbeds(kind)
  })
  afterAll(() => testbeds[Symbol.asyncDispose]())

  it('is made where a list of nodes with room says so, and refused elsewhere', async () => {
    await using world = await testbeds.start()
    const list = async (room: object) => {
      const url = `${routes.nodes}?room=${JSON.stringify(room)}`
      return (await world.ask(null, 'GET', url)).json<Node[]>().map(({ name }) => name)
    }
    const take = (name: string, memory: number) =>
      ensure(world, { ...spec, name, nodes: ['n1'], resources: [{ name: 'memory', req: memory }] })
    await take('first', 512)
    await take('second', 500)
    expect(await list({ memory: 12 })).toEqual(['n1', 'n2'])
    expect(await list({ memory: 13 })).toEqual(['n2'])
    // A sliver that requests no memory gets 64 MiB.
    expect(await list({ disk: 100 })).toEqual(['n2'])
    const lend = (lends: object) =>
      world.ask(world.operator, 'PATCH', path(routes.node, { id: 2 }), { body: { lends } })
    await lend({ memory_mib: 100 })
    expect(await list({ memory: 100 })).toEqual(['n2'])
    expect(await list({ memory: 101 })).toEqual([])
    await lend({ memory_mib: null, slivers: 0 })
    expect(await list({ memory: 12 })).toEqual(['n1'])
    await lend({ slivers: null })
    expect(await take('third', 13)).toMatchObject({ code: 'LAB_SLICE_NO_CAPACITY' })
    expect(await take('third', 12)).toMatchObject({ status: 201 })
  })

  it('is made once, with its slivers, however often it is asked for', async () => {
    await using world = await testbeds.start()
    const made = await ensure(world, spec)
    expect(made).toMatchObject({
      status: 201,
      slice: { id: 1, name: 'hello', set_state: 'start', instance_sn: 0, group: { id: 2 } },
      slivers: [
        { id: '1@1', state: 'unknown', effective_set_state: 'start', instance_sn: 0 },
        { id: '1@2', node: { name: 'n2' } },
      ],
    })
    const before = await everything(world)
    expect(await ensure(world, spec)).toEqual({ ...made, status: 200 })
    expect(await ensure(world, { ...spec, nodes: ['n2', 'n1'] })).toEqual({ ...made, status: 200 })
    expect(await everything(world)).toEqual(before)
  })

  it('is made once when it is asked for many times at once', async () => {
    await using world = await testbeds.start()
    const answers = await Promise.all(Array.from({ length: 8 }, () => ensure(world, spec)))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(7).fill(200), 201])
    expect(new Set(answers.map(({ slice }) => slice.id))).toEqual(new Set([1]))
  })

  it('changes to what is asked when its slivers may be lost: nodes come and go, and slivers of other resources are made again', async () => {
    await using world = await testbeds.start()
    const may_lose = 'slivers'
    await ensure(world, { ...spec, nodes: ['n1'] })
    const moved = await ensure(world, { ...spec, nodes: ['n2'], may_lose })
    expect(moved.slivers.map(({ id, instance_sn }) => [id, instance_sn])).toEqual([['1@2', 0]])
    const resources = [{ name: 'memory', req: 100 }]
    const grown = await ensure(world, { ...spec, nodes: ['n2'], resources, may_lose })
    expect(grown.slivers).toMatchObject([{ id: '1@2', instance_sn: 1 }])
    const n2 = (await world.ask(null, 'GET', path(routes.node, { id: 2 }))).json<Node>()
    expect(n2.resources.find(({ name }) => name === 'memory')?.avail).toBe(924)
    const n1 = (await world.ask(null, 'GET', path(routes.node, { id: 1 }))).json<Node>()
    expect(n1.resources.find(({ name }) => name === 'memory')?.avail).toBe(1024)
  })

  it('is left as it is when slivers would be lost, which are named with the reason', async () => {
    await using world = await testbeds.start()
    await ensure(world, spec)
    const before = await everything(world)
    const fewer = await ensure(world, { ...spec, nodes: ['n2'] })
    expect(fewer).toMatchObject({
      status: 409,
      code: 'LAB_SLICE_WOULD_LOSE',
      details: {
        count: 1,
        slivers: [{ node: 'n1', why: 'removed, for its node is not in the list' }],
      },
    })
    expect(fewer.detail).toMatch(
      /the sliver on n1 would be removed.* file and program .*mayLose: 'slivers'/u,
    )
    const resources = [{ name: 'memory', req: 100 }]
    const grown = await ensure(world, { ...spec, resources })
    const why = 'made again, for its memory becomes 100 MiB instead of 64'
    expect(grown).toMatchObject({
      status: 409,
      code: 'LAB_SLICE_WOULD_LOSE',
      details: {
        count: 2,
        slivers: [
          { node: 'n1', why },
          { node: 'n2', why },
        ],
      },
    })
    await addTemplate(world, 'other')
    expect(await ensure(world, { ...spec, template: 'other' })).toMatchObject({
      code: 'LAB_SLICE_WOULD_LOSE',
      details: {
        slivers: [{ why: 'made again, for its template becomes other instead of tiny' }, {}],
      },
    })
    expect((await everything(world)).slice(0, 3)).toEqual(before.slice(0, 3))
  })

  it('keeps its sliver on a node that is away today and so is not in the list', async () => {
    await using world = await testbeds.start()
    await ensure(world, spec)
    await world.report(1, { state: 'safe' })
    const smaller = await ensure(world, { ...spec, nodes: ['n2'] })
    expect(smaller).toMatchObject({ status: 200, slivers: [{ id: '1@1' }, { id: '1@2' }] })
    const exact = await ensure(world, { ...spec, nodes: ['n2'], may_lose: 'slivers' })
    expect(exact.slivers.map(({ id }) => id)).toEqual(['1@2'])
  })

  it('may change what never started: nothing of anybody’s is in it', async () => {
    await using world = await testbeds.start()
    await ensure(world, { ...spec, nodes: ['n1'] })
    await world.report(1, { slivers: [aSliverReport('1@1', { state: 'fail_allocate' })] })
    const resources = [{ name: 'memory', req: 100 }]
    const changed = await ensure(world, { ...spec, nodes: ['n1'], resources })
    expect(changed).toMatchObject({ status: 200, slivers: [{ instance_sn: 1 }] })
  })

  it('never counts a sliver’s instance_sn back, however often the sliver goes and comes', async () => {
    await using world = await testbeds.start()
    const seen: number[] = []
    const note = async (nodes: readonly string[]) => {
      const { slivers } = await ensure(world, { ...spec, nodes, may_lose: 'slivers' })
      const mine = slivers.find(({ id }) => id === '1@1')
      if (mine !== undefined) seen.push(mine.instance_sn)
    }
    await note(['n1', 'n2'])
    for (const _ of [1, 2]) {
      await note(['n2'])
      await note(['n1', 'n2'])
    }
    await world.ask(world.red, 'POST', '/api/slivers/1@1/ctl/update/')
    await world.ask(world.red, 'DELETE', '/api/slivers/1@1/')
    const body = { slice: { id: 1 }, node: { id: 1 } }
    const again = await world.ask(world.red, 'POST', routes.slivers, { body })
    seen.push(again.json<Sliver>().instance_sn)
    expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other))
    expect(seen).toHaveLength(4)
    const slice = (await world.ask(null, 'GET', '/api/slices/1/')).json<Slice>()
    expect(slice.sliver_defaults.instance_sn).toBe(seen.at(-1))
  })

  it('never promises more than a node has, whoever asks at once', async () => {
    await using world = await testbeds.start()
    const resources = [{ name: 'memory', req: 300 }]
    const ask = (name: string) => ensure(world, { ...spec, name, nodes: ['n1'], resources })
    const answers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(ask))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409])
  })

  it('belongs to the group that made it', async () => {
    await using world = await testbeds.start()
    await ensure(world, spec)
    const before = await everything(world)
    for (const token of [world.blue, world.operator])
      expect(await ensure(world, spec, token)).toMatchObject({
        status: 409,
        code: 'LAB_NAME_TAKEN',
        details: { kind: 'slice', name: 'hello' },
      })
    expect(await everything(world)).toEqual(before)
  })

  const refusals = [
    {
      what: 'a name with a newline',
      change: { name: 'hello\nworld' },
      status: 400,
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/name' }] },
      says: /\/name must be .*letters, digits.* not "hello\\nworld"$/u,
    },
    {
      what: 'a member that is not known',
      change: { node: ['n1'] },
      status: 400,
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/node', message: 'is not known here' }] },
      says: /\/node is not known here/u,
    },
    {
      what: 'no nodes',
      change: { nodes: [] },
      status: 400,
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/nodes' }] },
      says: /\/nodes must not have fewer than 1 items$/u,
    },
    {
      what: 'a template with a typo',
      change: { template: 'tinny' },
      status: 422,
      code: 'LAB_SLICE_UNKNOWN_TEMPLATE',
      details: { suggestion: 'tiny', known: ['tiny'] },
      says: /did you mean "tiny"\?/u,
    },
    {
      what: 'a template like none',
      change: { template: 'ubuntu-server' },
      status: 422,
      code: 'LAB_SLICE_UNKNOWN_TEMPLATE',
      details: { suggestion: null },
      says: /templates: tiny/u,
    },
    {
      what: 'a node with a typo',
      change: { nodes: ['n1', 'm2'] },
      status: 422,
      code: 'LAB_SLICE_UNKNOWN_NODE',
      details: { node: 'm2', suggestion: 'n2' },
      says: /there is no node "m2"; did you mean "n2"\?/u,
    },
    {
      what: 'more memory than a node gives',
      change: { resources: [{ name: 'memory', req: 4096 }] },
      status: 409,
      code: 'LAB_SLICE_NO_CAPACITY',
      details: { asked: 4096, largestFree: 512, node: 'n1', onNode: 'n1' },
      says: /largest free: 512 MiB on n1/u,
    },
  ] as const

  it('is refused whole, with the reason and what would do, before anything is reserved', async () => {
    await using world = await testbeds.start()
    await ensure(world, spec)
    const before = await everything(world)
    for (const { what, change, status, code, details, says } of refusals) {
      const answer = await ensure(world, { ...spec, ...change })
      expect({ what, ...answer }).toMatchObject({ what, status, code, details })
      expect(answer.detail).toMatch(says)
      expect(answer.requestId).toMatch(/^req-/u)
    }
    expect(await everything(world)).toEqual(before)
  })

  it('names the node with the largest room when another is full', async () => {
    await using world = await testbeds.start()
    const resources = [{ name: 'memory', req: 500 }]
    await ensure(world, { ...spec, name: 'a', nodes: ['n1'], resources })
    await ensure(world, { ...spec, name: 'b', nodes: ['n1'], resources })
    const before = await everything(world)
    expect(await ensure(world, { ...spec, nodes: ['n2', 'n1'], resources })).toMatchObject({
      code: 'LAB_SLICE_NO_CAPACITY',
      details: { largestFree: 512, node: 'n2', onNode: 'n1', asked: 500, unit: 'MiB' },
    })
    expect(await everything(world)).toEqual(before)
  })

  it('is told what is left on each node, the amount that fits on all, and which other nodes have room', async () => {
    await using world = await testbeds.start()
    const resources = [{ name: 'memory', req: 500 }]
    await ensure(world, { ...spec, name: 'a', nodes: ['n1'], resources })
    await ensure(world, { ...spec, name: 'b', nodes: ['n1'], resources })
    const refused = await ensure(world, { ...spec, name: 'c', nodes: ['n1'], resources })
    expect(refused).toMatchObject({
      status: 409,
      details: { short: [{ node: 'n1', free: 24 }], fits: 24, otherNodes: ['n2'] },
    })
    expect(refused.detail).toMatch(
      /n1 has 24.*ask for 24 MiB at most, or use others: n2 has room$/u,
    )
    const less = [{ name: 'memory', req: 24 }]
    const made = await ensure(world, { ...spec, name: 'c', nodes: ['n1'], resources: less })
    expect(made.status).toBe(201)
    // A sliver that is added to a slice is refused in the same words.
    const body = { slice: { id: made.slice.id }, node: { id: 2 } }
    await world.report(2, { state: 'safe' })
    const added = await world.ask(world.red, 'POST', routes.slivers, { body })
    expect(added.json()).toMatchObject({
      code: 'LAB_SLICE_NODE_NOT_IN_PRODUCTION',
      details: { otherNodes: [] },
    })
  })

  it('goes only to nodes in production and of the template’s architecture', async () => {
    await using world = await testbeds.start()
    await world.report(1, { arch: 'aarch64' })
    await world.report(1, { arch: 'aarch64' })
    await world.report(2, { state: 'safe' })
    expect(await ensure(world, { ...spec, nodes: ['n1'] })).toMatchObject({
      code: 'LAB_SLICE_ARCH_MISMATCH',
      details: { arch: 'aarch64', archs: ['x86_64'] },
    })
    expect(await ensure(world, { ...spec, nodes: ['n2'] })).toMatchObject({
      code: 'LAB_SLICE_NODE_NOT_IN_PRODUCTION',
      details: { node: 'n2', state: 'safe' },
    })
  })

  it('stays where it is when its node is away for a while', async () => {
    await using world = await testbeds.start()
    const made = await ensure(world, spec)
    await world.report(2, { state: 'safe' })
    expect(await ensure(world, spec)).toMatchObject({ status: 200, slice: { id: made.slice.id } })
  })
})
