import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  acceptOf,
  JournalEntry,
  Node,
  NodeInterval,
  path,
  routes,
  Sliver,
  sliverId,
  Template,
} from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import pg from 'pg'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { probeSliceId } from '../../server/src/domain/probe.ts'
import { eventually } from '../support/eventually.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

// What CONFINE's testbed did with slivers and nodes, as a user sees it. test/README.md says where the rest is proved.

let testbed: RunningTestbed
let lab: Lab
let slice: Slice

beforeAll(async () => {
  // Nodes that only poll, as those of CONFINE did.
  const agentEnv = { COMMUNITY_LAB_AGENT_POLL_S: '1', COMMUNITY_LAB_AGENT_HINTS: 'off' }
  testbed = await startTestbed({ nodes: 2, agentEnv })
  lab = connect(testbed.credentials)
  slice = await lab.slices.ensure('confine', { template: 'tiny', nodes: ['n1', 'n2'] })
  await slice.started()
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

const [first, second] = ['1@1', '1@2']

async function ask(method: string, route: string, body?: unknown): Promise<unknown> {
  const { url, token } = testbed.operator
  const isImage = body instanceof Uint8Array
  const type = isImage ? 'application/gzip' : 'application/json'
  const answer = await fetch(url + route, {
    method,
    headers: {
      accept: acceptOf(),
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: isImage ? Buffer.from(body) : JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${route}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}

async function read<S extends TSchema>(schema: S, route: string): Promise<Static<S>> {
  return Value.Parse(schema, await ask('GET', route))
}

const sliver = (id: string) => read(Sliver, path(routes.sliver, { id }))
const node = (id: number) => read(Node, path(routes.node, { id }))
const setState = (of: string, set_state: string) => ask('PATCH', of, { set_state })

/** The kinds of interfaces that a sliver has. */
const interfacesOf = async (id: string) =>
  (await sliver(id)).actual?.interfaces.map(({ type }) => type)

/** What is in the file of each sliver that {@link mark} has written, where there is one. */
const marks = async () =>
  (await (await slice.refresh()).sh`cat /root/mark || true`).map(({ stdout }) => stdout.trim())
const mark = async (text: string) => slice.sh`echo ${text} > /root/mark`

/** When the first process of each sliver started, in ticks since its host did. */
const starts = async () =>
  (await slice.sh`cat /proc/1/stat`).map(({ stdout }) => stdout.split(' ')[21])

it('slivers run on for ten polls that nobody answers, and follow the registry again once it is back', async () => {
  const running = await starts()
  const failedPolls = async () =>
    (await testbed.log('n1')).split('the target could not be fetched').length
  const polls = await failedPolls()
  await testbed.control.server('kill')
  await eventually(async () => expect(await failedPolls()).toBeGreaterThanOrEqual(polls + 10))
  await testbed.control.server('start')
  await testbed.settled()
  expect(await starts()).toEqual(running)
  for (const [wanted, state] of [
    ['deploy', 'deployed'],
    ['start', 'started'],
  ] as const) {
    await setState(path(routes.slice, { id: slice.id }), wanted)
    for (const id of [first, second]) await testbed.sliverIs(id, state)
  }
})

it('after an edit of its interfaces, a reset makes a sliver with the old ones, and an update with the new ones', async () => {
  const both = ['management', 'public6']
  await mark('before')
  await ask('PATCH', path(routes.node, { id: 1 }), { lends: { interfaces: [] } })
  await eventually(async () =>
    expect((await sliver(first)).errors.map(({ member }) => member)).toEqual(['/interfaces']),
  )
  expect(await interfacesOf(first)).toEqual(both)
  await slice.reset()
  await slice.started()
  expect([await interfacesOf(first), await marks()]).toEqual([both, ['', '']])

  await mark('after')
  await ask('POST', path(routes.sliverUpdate, { id: first }))
  await eventually(async () => {
    expect(await sliver(first)).toMatchObject({ state: 'started', actual: { instance_sn: 1 } })
  })
  expect(await interfacesOf(first)).toEqual(['management'])
  expect([await interfacesOf(second), await marks()]).toEqual([both, ['', 'after']])
  await ask('PATCH', path(routes.node, { id: 1 }), { lends: { interfaces: null } })
})

it('a node in safe stops its slivers and keeps their files, and one in failure removes them', async () => {
  await mark('kept')
  const n2 = path(routes.node, { id: 2 })
  await setState(n2, 'safe')
  await testbed.sliverIs(second, 'deployed')
  await setState(n2, 'production')
  await testbed.sliverIs(second, 'started')
  expect(await marks()).toEqual(['kept', 'kept'])
  await setState(n2, 'failure')
  await testbed.sliverIs(second, 'registered')
  for (const state of ['safe', 'production']) await setState(n2, state)
  await testbed.sliverIs(second, 'started')
  expect(await marks()).toEqual(['kept', ''])
})

/** Change the database itself, and start the server again, because it keeps in memory what it has read. */
async function changeRegistry(statement: string): Promise<void> {
  const pid = await readFile(join(testbed.home, 'vct/server/postgres/data/postmaster.pid'), 'utf8')
  const folder = pid.split('\n')[4] ?? ''
  const host = `/proc/${testbed.podPid}/root${folder}`
  const client = new pg.Client({ host, user: 'community_lab', database: 'registry' })
  await client.connect()
  await client.query(statement)
  await client.end()
  await testbed.control.server('kill')
  await testbed.control.server('start')
}

/** Whether each life of a sliver on n2 lasts, the last one first. */
const lives = async () =>
  (await read(Type.Array(JournalEntry), `${routes.journal}?/node_name="n2"`)).map(
    ({ to }) => to === null,
  )

it('a node that is not what the registry has of it is in debug without slivers, says why, and is back once that is right', async () => {
  await mark('before')
  const livesBefore = (await lives()).length
  await changeRegistry(`update nodes set arch = 'aarch64' where id = 2`)
  await eventually(async () => {
    const states = await read(Type.Array(NodeInterval), path(routes.nodeHistory, { id: 2 }))
    const debug = states.findLastIndex(({ state }) => state === 'debug')
    expect(states[debug]?.reason).toContain('/arch: node n2 is in debug')
    expect(states.slice(debug).map(({ state }) => state)).toContain('production')
  })
  expect((await node(2)).arch).toBe('x86_64')
  await eventually(async () => {
    expect(await lives()).toHaveLength(livesBefore + 1)
    expect((await lives())[0]).toBe(true)
  })
  await testbed.settled()
  expect(await marks()).toEqual(['before', ''])
})

it('a node on which slivers of three slices in a row failed is ready again when its own probe has started', async () => {
  const made = await ask('POST', routes.templates, { name: 'empty', node_archs: ['x86_64'] })
  const { id } = Value.Parse(Template, made)
  await ask('PUT', path(routes.templateUploadImage, { id }), gzipSync(Buffer.alloc(10_240)))
  const failing = await Promise.all(
    ['a', 'b', 'c'].map((name) => lab.slices.ensure(name, { template: 'empty', nodes: ['n1'] })),
  )
  const probe = `"sliver":"${sliverId(probeSliceId, 1)}"`
  const done = async () => {
    const lines = (await testbed.log('n1')).split('\n').filter((line) => line.includes(probe))
    return lines
      .filter((line) => line.includes('a step is done'))
      .map((line) => /"step":"(\w+)"/u.exec(line)?.[1])
  }
  await eventually(async () =>
    expect(await done()).toEqual(['allocate', 'deploy', 'start', 'remove']),
  )
  expect((await node(1)).not_ready).toBeNull()
  expect((await sliver(`${failing[0]?.id ?? 0}@1`)).state).toMatch(/^fail_/u)
  for (const one of failing) await one.release()
})
