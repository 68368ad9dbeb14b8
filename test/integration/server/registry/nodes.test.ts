import {
  lendsAll,
  parseEnrollmentToken,
  path,
  routes,
  type EnrollmentAnswer,
  type EnrollmentToken,
  type Node,
  type NodeLastReport,
  type NodeTarget,
  type Sliver,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresKinds } from '../../../support/postgres.ts'
import { readEvents } from '../world/events.ts'
import { refuse } from '../world/refuse.ts'
import {
  aReport,
  aSliverReport,
  askToEnroll as enroll,
  makeTincKey,
  startTestbeds,
  tincPubkey,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'
import { mgmtPrefix, startWorld } from '../world/world.ts'

async function readNode(world: TestbedWorld, id: number): Promise<Node> {
  return (await world.ask(null, 'GET', path(routes.node, { id }))).json<Node>()
}

async function issue(world: TestbedWorld, id: number): Promise<string> {
  const made = await world.ask(world.operator, 'POST', path(routes.nodeEnrollmentToken, { id }))
  return parseEnrollmentToken(made.json<EnrollmentToken>().token).secret
}

const target = (world: TestbedWorld, token: string, id: number) =>
  world.ask(token, 'GET', path(routes.nodeTarget, { id }))

describe.each(postgresKinds)('a node on %s PostgreSQL', (kind) => {
  let testbeds: Testbeds
  beforeAll(async () => {
    testbeds = await startTestbeds(kind)
  })
  afterAll(() => testbeds[Symbol.asyncDispose]())

  it('is in debug until it is enrolled, then safe, then what its operator sets', async () => {
    await using world = await testbeds.start()
    const made = await world.ask(world.operator, 'POST', routes.nodes, { body: { name: 'n3' } })
    expect(made.headers.location).toBe('/api/nodes/3/')
    expect(made.json()).toMatchObject({
      set_state: 'debug',
      state: 'unknown',
      mgmt_net: { addr: 'fd65:fc41:c50f:3::2' },
      tinc: { name: 'node_3', pubkey: null },
    })
    const set = async (set_state: string) => {
      const body = { set_state }
      const answer = await world.ask(world.operator, 'PATCH', '/api/nodes/3/', { body })
      return [answer.statusCode, answer.json<{ code?: string }>().code ?? set_state]
    }
    expect(await set('production')).toEqual([409, 'LAB_NODE_STATE_REFUSED'])
    await enroll(world, await issue(world, 3))
    expect(await readNode(world, 3)).toMatchObject({ set_state: 'safe', state: 'unknown' })
    expect(await set('debug')).toEqual([409, 'LAB_NODE_STATE_REFUSED'])
    expect(await set('production')).toEqual([200, 'production'])
    expect(await set('failure')).toEqual([200, 'failure'])
    expect(await set('production')).toEqual([409, 'LAB_NODE_STATE_REFUSED'])
    expect(await set('safe')).toEqual([200, 'safe'])
  })

  it('is told at its enrolment all it needs to reach the server', async () => {
    await using world = await testbeds.start()
    const answer = (await enroll(world, await issue(world, 1))).json<EnrollmentAnswer>()
    expect(answer).toMatchObject({
      node: { id: 1, name: 'n1' },
      mgmt_ipv6_prefix: mgmtPrefix,
      server: {
        url: 'https://[fd65:fc41:c50f::2]:8443',
        mgmt_addr: 'fd65:fc41:c50f::2',
        certificate_sha256: world.context.contact.certificateSha256,
        tinc: { addresses: [{ addr: '2001:db8::1', port: 655 }] },
      },
    })
    expect((await target(world, answer.token, 1)).statusCode).toBe(200)
    expect(await world.context.registry.tincHosts()).toMatchObject([
      { name: 'node_1', subnets: ['fd65:fc41:c50f:1::/64'] },
      { name: 'node_2', pubkey: tincPubkey },
    ])
  })

  it('uses its enrolment token once: the same key may ask again, another may not', async () => {
    await using world = await testbeds.start()
    const secret = await issue(world, 1)
    const first = await enroll(world, secret)
    const again = await enroll(world, secret)
    expect([first.statusCode, again.statusCode]).toEqual([200, 200])
    const [before, now] = [first, again].map((each) => each.json<EnrollmentAnswer>().token)
    expect((await target(world, before ?? '', 1)).statusCode).toBe(401)
    expect((await target(world, now ?? '', 1)).statusCode).toBe(200)
    const refused = await enroll(world, secret, makeTincKey())
    expect(refused.statusCode).toBe(401)
    expect(refused.json()).toMatchObject({ code: 'LAB_ENROLLMENT_REFUSED' })
    expect(await readNode(world, 1)).toMatchObject({ tinc: { pubkey: tincPubkey } })
  })

  it('is not enrolled by who knows its token and its public key, which is no secret', async () => {
    await using world = await testbeds.start()
    const secret = await issue(world, 1)
    const thief = { ...makeTincKey(), pubkey: tincPubkey }
    expect((await enroll(world, secret, thief)).json()).toMatchObject({
      code: 'LAB_ENROLLMENT_REFUSED',
    })
    expect((await target(world, world.nodes[0] ?? '', 1)).statusCode).toBe(200)
    expect((await enroll(world, secret)).statusCode).toBe(200)
    expect((await enroll(world, secret, thief)).statusCode).toBe(401)
  })

  it('has no more use for its enrolment token once it has reported, whoever holds its key', async () => {
    await using world = await testbeds.start()
    const secret = await issue(world, 1)
    const { token } = (await enroll(world, secret)).json<EnrollmentAnswer>()
    const url = path(routes.nodeState, { id: 1 })
    expect((await world.ask(token, 'PUT', url, { body: aReport() })).statusCode).toBe(204)
    const late = await enroll(world, secret)
    expect(late.json()).toMatchObject({ status: 401, code: 'LAB_ENROLLMENT_REFUSED' })
    expect((await target(world, token, 1)).statusCode).toBe(200)
  })

  it('is not enrolled with a token that was replaced, made up, or meant for anything else', async () => {
    await using world = await testbeds.start()
    const replaced = await issue(world, 1)
    await issue(world, 1)
    const madeUp = `cle_${'0'.repeat(43)}`
    for (const secret of [replaced, madeUp]) {
      const answer = await enroll(world, secret)
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([
        401,
        'LAB_ENROLLMENT_REFUSED',
      ])
    }
    expect((await enroll(world, world.operator)).statusCode).toBe(401)
    const noKey = { ...makeTincKey(), pubkey: 'no key' }
    expect((await enroll(world, await issue(world, 1), noKey)).statusCode).toBe(400)
    // And the one-time secret opens nothing else.
    expect((await target(world, await issue(world, 1), 1)).statusCode).toBe(401)
  })

  it('that is revoked has no key, no token and no way back but a new enrolment', async () => {
    await using world = await testbeds.start()
    let changes = 0
    world.context.registry.onTincHostsChanged(() => changes++)
    const revoked = await world.ask(world.operator, 'POST', path(routes.nodeRevoke, { id: 1 }))
    expect(revoked.json()).toMatchObject({
      set_state: 'debug',
      state: 'offline',
      tinc: { pubkey: null },
    })
    expect(changes).toBe(1)
    expect((await target(world, world.nodes[0] ?? '', 1)).statusCode).toBe(401)
    expect((await world.context.registry.tincHosts()).map(({ name }) => name)).toEqual(['node_2'])
    expect((await enroll(world, await issue(world, 1))).statusCode).toBe(200)
  })

  it('is asked to restart by a number that rises, once for each request', async () => {
    await using world = await testbeds.start()
    const reboot = () => world.ask(world.operator, 'POST', path(routes.nodeReboot, { id: 1 }))
    expect((await Promise.all([reboot(), reboot(), reboot()])).map((r) => r.statusCode)).toEqual([
      202, 202, 202,
    ])
    const { node } = (await target(world, world.nodes[0] ?? '', 1)).json<NodeTarget>()
    expect(node).toMatchObject({ id: 1, name: 'n1', set_state: 'production', boot_sn: 3 })
  })

  it('reads its target again only when that has changed', async () => {
    await using world = await testbeds.start()
    const [token = ''] = world.nodes
    const first = await target(world, token, 1)
    const conditional = (etag: string | undefined) =>
      world.ask(token, 'GET', path(routes.nodeTarget, { id: 1 }), {
        headers: { 'if-none-match': etag ?? '' },
      })
    const unchanged = await conditional(first.headers.etag)
    expect([unchanged.statusCode, unchanged.body]).toEqual([304, ''])
    const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const changed = await conditional(first.headers.etag)
    expect(changed.statusCode).toBe(200)
    expect(changed.json<NodeTarget>().slivers).toMatchObject([
      {
        id: '1@1',
        slice_name: 'hello',
        set_state: 'start',
        template: {
          name: 'tiny',
          image_uri: '/api/templates/1/versions/1/image.tar.gz',
          image_sha256: world.template.image_sha256,
        },
        interfaces: [{ name: 'mgmt0' }, { name: 'pub1' }],
      },
    ])
  })

  it('is told over its stream what it would be told by its requests', async () => {
    await using world = await testbeds.start()
    const { registry } = world.context
    const [token = ''] = world.nodes
    const readEtag = async () => (await target(world, token, 1)).headers.etag ?? ''
    const first = await readEtag()
    expect(await registry.poll(1, { target: first, report: null })).toEqual({
      target: true,
      report: false,
    })
    const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    expect(await registry.poll(1, { target: first, report: null })).toMatchObject({ target: false })
    const second = await readEtag()
    expect(await registry.poll(1, { target: second, report: null })).toMatchObject({ target: true })
    const report = await world.report(1, { slivers: [aSliverReport('1@1')] })
    expect(await registry.poll(1, { target: null, report })).toEqual({
      target: false,
      report: true,
    })
    await world.report(1)
    expect(await registry.poll(1, { target: null, report })).toMatchObject({ report: false })
  })

  it('tells what is; what is wanted stays as it was', async () => {
    await using world = await testbeds.start()
    const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const errors = [{ member: '/template', message: 'the image’s SHA-256 is another' }]
    const failed = aSliverReport('1@1', { state: 'fail_allocate', errors })
    await world.report(1, { state: 'safe', slivers: [failed, aSliverReport('9@1')] })
    expect(await readNode(world, 1)).toMatchObject({
      state: 'safe',
      set_state: 'production',
      public_prefix: '2001:db8:1::/64',
      capabilities: { runtime: 'crun' },
    })
    const sliver = async () => (await world.ask(null, 'GET', '/api/slivers/1@1/')).json<Sliver>()
    expect(await sliver()).toMatchObject({
      state: 'fail_allocate',
      effective_set_state: 'start',
      errors,
    })
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    expect(await sliver()).toMatchObject({ state: 'started', errors: [], actual: { nr: 1 } })
    await world.report(1)
    expect(await sliver()).toMatchObject({ state: 'unknown', actual: null })
  })

  it('that says the same again makes no event', async () => {
    await using world = await testbeds.start()
    const before = await world.context.feed.range()
    await world.report(1)
    await world.report(1)
    expect(await world.context.feed.range()).toEqual(before)
  })

  it('is offline when nothing was heard of it for too long, and is back with its next word', async () => {
    await using world = await testbeds.start({ offlineAfterS: 1 })
    // From the first event on, for it may have happened already.
    await using reader = await readEvents(world, { query: '?after=0' })
    const next = async () => (await reader.next())?.data.object as Partial<Node>
    const offline = new Set<string>()
    while (offline.size < 2) {
      const node = await next()
      if (node.state === 'offline') offline.add(node.name ?? '')
    }
    expect([...offline].sort()).toEqual(['n1', 'n2'])
    expect(await readNode(world, 1)).toMatchObject({ state: 'offline', set_state: 'production' })
    await target(world, world.nodes[0] ?? '', 1)
    // The event stays where a busy machine lets another second pass.
    let back = await next()
    while (back.name !== 'n1' || back.state !== 'production') back = await next()
  })

  it('is offline also when the state of another node cannot be written', async () => {
    await using world = await testbeds.start({ offlineAfterS: 1 })
    await using reader = await readEvents(world)
    // From now on, for a state that was written is not written again.
    await world.context.registry.noteContact(2, true)
    await refuse(world.database.db, 'update on nodes', 'old.id = 1')
    const next = async () => (await reader.next())?.data.object as Partial<Node> | undefined
    let node = await next()
    while (node?.name !== 'n2' || node.state !== 'offline') node = await next()
  })

  it('was last seen when it last polled, also after the server was started again', async () => {
    const world = await testbeds.start()
    await world.report(1)
    const { last_seen_on: reportedOn } = await readNode(world, 1)
    while (new Date().toISOString() === reportedOn);
    await world.context.registry.noteContact(1, true)
    const { last_seen_on: seenOn } = await readNode(world, 1)
    expect(seenOn).not.toBe(reportedOn)
    await world[Symbol.asyncDispose]()
    await using again = await startWorld({ databaseUrl: world.databaseUrl })
    const node = (await again.ask(null, 'GET', path(routes.node, { id: 1 }))).json<Node>()
    expect(node.last_seen_on).toBe(seenOn)
  })

  it('need not report again because the server was started again, as long as nothing has changed', async () => {
    const world = await testbeds.start()
    const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const report = await world.report(1, { slivers: [aSliverReport('1@1')] })
    const other = await world.report(2)
    await world[Symbol.asyncDispose]()
    await using again = await startWorld({ databaseUrl: world.databaseUrl })
    const { registry } = again.context
    const poll = (id: number, etag: string) => registry.poll(id, { target: null, report: etag })
    expect(await poll(1, report)).toMatchObject({ report: true })
    expect(await poll(1, other)).toMatchObject({ report: false })
    await sql`update slivers set state = 'unknown', report = null`.execute(again.database.db)
    await using third = await startWorld({ databaseUrl: world.databaseUrl })
    expect(await third.context.registry.poll(1, { target: null, report })).toMatchObject({
      report: false,
    })
  })

  it('has another processor only once two reports in a row say so', async () => {
    await using world = await testbeds.start()
    const { registry } = world.context
    const archs = async () => [
      (await readNode(world, 1)).arch,
      (await target(world, world.nodes[0] ?? '', 1)).json<NodeTarget>().node.arch,
    ]
    const right = await world.report(1)
    const wrong = await world.report(1, { arch: 'aarch64' })
    expect(await archs()).toEqual(['x86_64', 'x86_64'])
    // The node is asked for another report.
    const asked = await registry.poll(1, { target: null, report: wrong })
    expect(asked).toMatchObject({ report: false })
    await world.report(1)
    expect(await archs()).toEqual(['x86_64', 'x86_64'])
    expect(await registry.poll(1, { target: null, report: right })).toMatchObject({ report: true })
    for (const errors of [[], [{ member: '/arch', message: 'it is another' }]])
      await world.report(1, { arch: 'aarch64', errors })
    expect(await archs()).toEqual(['aarch64', 'aarch64'])
  })

  it('is understood by its server as far as that goes when its agent is from the future', async () => {
    await using world = await testbeds.start()
    const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const { capabilities, resources } = aReport()
    const sliver = aSliverReport('1@1')
    const lora = { nr: 4, name: 'lora0', type: 'lora', mac_addr: '', ipv6_addr: null }
    const device = { ...lendsAll, slivers: 3, interfaces: ['lora', 'public6'], hours: ['at night'] }
    const lending = { device, time_zone: 'UTC', is_open: true, opens: null }
    const future = {
      ...aReport(),
      capabilities: { ...capabilities, gpus: 2 },
      resources: [...resources.map((one) => ({ ...one, kind: 'x' })), { name: 'gpu', total: 2 }],
      lending: { ...lending, device: { ...device, gpus: 1 }, until: 'tomorrow' },
      moon: 'full',
      slivers: [{ ...sliver, interfaces: [lora], snapshots: [{ of: 'today' }] }],
    }
    const url = path(routes.nodeState, { id: 1 })
    const put = async (document: object) => {
      const answer = await world.ask(world.nodes[0] ?? '', 'PUT', url, { body: document })
      expect([answer.statusCode, answer.body]).toEqual([204, ''])
      return String(answer.headers.etag)
    }
    const report = await put(future)
    const { registry } = world.context
    expect(await registry.poll(1, { target: null, report })).toMatchObject({ report: true })
    const shown = await world.ask(null, 'GET', path(routes.nodeState, { id: 1 }))
    const hours = expect.stringContaining('"at night"') as string
    expect(shown.json<NodeLastReport>().data).toEqual({
      ...aReport(),
      lending: { ...lending, device: { ...device, interfaces: ['public6'], hours: null } },
      errors: [{ member: '/lending/device/hours', message: hours }],
      slivers: [sliver],
    })
    // Of states that it does not know, it takes those that promise nothing.
    await put({ ...future, state: 'asleep', slivers: [{ ...sliver, state: 'frozen' }] })
    const node = await world.ask(null, 'GET', path(routes.node, { id: 1 }))
    expect(node.json<Node>()).toMatchObject({ state: 'safe', errors: [{ member: '/state' }, {}] })
    const paused = await world.ask(null, 'GET', path(routes.sliver, { id: '1@1' }))
    const errors = [{ member: '/state', message: expect.stringContaining('"frozen"') as string }]
    expect(paused.json<Sliver>()).toMatchObject({ state: 'unknown', errors })
  })

  it('whose report is none is told where', async () => {
    await using world = await testbeds.start()
    const url = path(routes.nodeState, { id: 1 })
    const body = { ...aReport(), state: 7 }
    const answer = await world.ask(world.nodes[0] ?? '', 'PUT', url, { body })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/state' }] },
    })
  })
})
