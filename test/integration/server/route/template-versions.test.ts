import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  path,
  routes,
  type NodeTarget,
  type SliceWithSlivers,
  type Template,
} from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function upload(world: TestbedWorld, token: string, id: number, content: string) {
  const answer = await world.ask(token, 'PUT', path(routes.templateUploadImage, { id }), {
    body: gzipSync(content),
    headers: { 'content-type': 'application/gzip' },
  })
  return answer.json<Template>()
}

async function makeOwn(world: TestbedWorld): Promise<Template> {
  const body = { name: 'own', node_archs: ['x86_64'] }
  const made = await world.ask(world.red, 'POST', routes.templates, { body })
  return upload(world, world.red, made.json<Template>().id, 'first')
}

async function ensure(world: TestbedWorld, token: string, body: object) {
  const spec = { name: 'mine', template: 'tiny', nodes: ['n1'], ...body }
  const answer = await world.ask(token, 'PUT', routes.sliceEnsure, { body: spec })
  return answer.json<SliceWithSlivers & { code?: string; details?: object }>()
}

const versionOf = ({ slice }: SliceWithSlivers) => slice.sliver_defaults.template_version

it('makes a version of each image, and a slice keeps the one that it was made with', async () => {
  await using world = await testbeds.start()
  const first = await ensure(world, world.red, {})
  expect(first.slice.sliver_defaults).toMatchObject({
    template: { id: 1 },
    template_version: 1,
    template_sha256: world.template.image_sha256,
  })
  expect(first.slivers[0]).toMatchObject({ template: { id: 1 }, template_version: 1 })
  const readTarget = async () =>
    (
      await world.ask(world.nodes[0] ?? '', 'GET', path(routes.nodeTarget, { id: 1 }))
    ).json<NodeTarget>()
  const before = await readTarget()
  const tiny = await upload(world, world.operator, 1, 'second')
  expect(tiny).toMatchObject({ version: 2, versions: [{ version: 2 }, { version: 1 }] })
  expect(await readTarget()).toEqual(before)
  const again = await ensure(world, world.red, { nodes: ['n1', 'n2'] })
  expect(again.slivers.map((sliver) => sliver.template_version)).toEqual([1, 1])
  expect(versionOf(await ensure(world, world.blue, { name: 'new' }))).toBe(2)
  expect(versionOf(await ensure(world, world.blue, { name: 'old', template: 'tiny@1' }))).toBe(1)
})

it('makes slivers again with another version only when they may be lost', async () => {
  await using world = await testbeds.start()
  await ensure(world, world.red, {})
  await upload(world, world.operator, 1, 'second')
  const refused = await ensure(world, world.red, { template: 'tiny@2' })
  expect(refused).toMatchObject({
    code: 'LAB_SLICE_WOULD_LOSE',
    details: {
      slivers: [{ why: 'made again, for its template becomes tiny@2 instead of tiny@1' }],
    },
  })
  const changed = await ensure(world, world.red, { template: 'tiny@2', may_lose: 'slivers' })
  expect(versionOf(changed)).toBe(2)
  const unknown = await ensure(world, world.red, { template: 'tiny@3' })
  expect(unknown).toMatchObject({
    code: 'LAB_TEMPLATE_NO_VERSION',
    details: { template: 'tiny', version: 3, known: [2, 1] },
  })
})

it('gives others the newest version that an operator made public, and its own group any that it names', async () => {
  await using world = await testbeds.start()
  const own = await makeOwn(world)
  const [one] = own.versions ?? []
  expect(one).toMatchObject({ version: 1, is_public: false })
  const publish = (token: string, version: number, is_public: boolean) =>
    world.ask(token, 'PATCH', path(routes.templateVersion, { id: own.id, version }), {
      body: { is_public },
    })
  expect((await publish(world.red, 1, true)).statusCode).toBe(403)
  expect((await publish(world.operator, 1, true)).json()).toMatchObject({ is_public: true })
  const second = await upload(world, world.red, own.id, 'second')
  // An operator has not looked at the second one yet.
  expect(second).toMatchObject({
    is_public: true,
    version: 1,
    versions: [{ is_public: false }, {}],
  })
  const use = async (token: string, name: string, template: string) => {
    const answer = await ensure(world, token, { name, template })
    return answer.code ?? versionOf(answer)
  }
  expect(await use(world.blue, 'of-blue', 'own')).toBe(1)
  expect(await use(world.blue, 'more', 'own@2')).toBe('LAB_TEMPLATE_NOT_PUBLIC')
  expect(await use(world.red, 'of-red', 'own')).toBe(1)
  expect(await use(world.red, 'tries', 'own@2')).toBe(2)
  await world.ask(world.operator, 'PATCH', own.uri, { body: { is_public: true, version: 2 } })
  expect(await use(world.blue, 'newest', 'own')).toBe(2)
  await publish(world.operator, 2, false)
  // What runs keeps its version.
  expect(await use(world.blue, 'newest', 'own')).toBe(2)
  await world.ask(world.operator, 'PATCH', own.uri, { body: { is_public: false } })
  expect(await use(world.blue, 'later', 'own')).toBe('LAB_TEMPLATE_NOT_PUBLIC')
})

it('makes public what the operator has looked at, not what was added meanwhile', async () => {
  await using world = await testbeds.start()
  const own = await makeOwn(world)
  const publish = async (body: object, headers: Record<string, string> = {}) => {
    const asked = { body: { is_public: true, ...body }, headers }
    const answer = await world.ask(world.operator, 'PATCH', own.uri, asked)
    return answer.json<Template & { code?: string }>()
  }
  const seen = await world.ask(world.operator, 'GET', own.uri)
  const etag = String(seen.headers['etag'])
  await upload(world, world.red, own.id, 'second')
  expect(await publish({})).toMatchObject({
    code: 'LAB_TEMPLATE_VERSION_NEEDED',
    details: { template: 'own', newest: 2 },
  })
  // The operator saw it while it had no image.
  expect(await publish({ version: null })).toMatchObject({ code: 'LAB_TEMPLATE_VERSION_NEEDED' })
  expect(await publish({}, { 'if-match': etag })).toMatchObject({
    code: 'LAB_REQUEST_PRECONDITION_FAILED',
  })
  // Any ETag is none that was read.
  expect(await publish({}, { 'if-match': '*' })).toMatchObject({
    code: 'LAB_TEMPLATE_VERSION_NEEDED',
  })
  expect(await publish({ version: 3 })).toMatchObject({ code: 'LAB_TEMPLATE_NO_VERSION' })
  const versions = [
    { version: 2, is_public: false },
    { version: 1, is_public: true },
  ]
  expect(await publish({ version: 1 })).toMatchObject({ is_public: true, versions })
  // CONFINE's clients send the whole object back.
  const put = await world.ask(world.operator, 'PUT', own.uri, {
    body: { ...(await publish({ version: 1 })), description: 'checked' },
    headers: { accept: 'application/json' },
  })
  expect(put.json()).toMatchObject({ description: 'checked', version: 1, versions })
  const now = await world.ask(world.operator, 'GET', own.uri)
  const whole = await publish({}, { 'if-match': String(now.headers['etag']) })
  expect(whole).toMatchObject({ version: 2, versions: [{ is_public: true }, { is_public: true }] })
})

it('removes only versions that no slice uses, with their images, and gives no number twice', async () => {
  await using world = await testbeds.start()
  await ensure(world, world.red, {})
  await upload(world, world.operator, 1, 'second')
  const remove = (version: number) =>
    world.ask(world.operator, 'DELETE', path(routes.templateVersion, { id: 1, version }))
  const used = await remove(1)
  expect([used.statusCode, used.json()]).toEqual([
    409,
    expect.objectContaining({
      code: 'LAB_TEMPLATE_IN_USE',
      details: { template: 'tiny@1', slices: ['mine'] },
    }),
  ])
  expect((await remove(2)).statusCode).toBe(204)
  expect((await remove(2)).statusCode).toBe(404)
  expect(await readdir(join(world.dataDir, 'images'))).toHaveLength(1)
  const { version } = await upload(world, world.operator, 1, 'third')
  expect(version).toBe(3)
})

it('makes one version of the same image, however often it is uploaded, and has an event for each new one', async () => {
  await using world = await testbeds.start()
  const { feed } = world.context
  const before = (await feed.range()).last
  const bodies = ['second', 'second', 'third', 'second']
  await Promise.all(bodies.map((body) => upload(world, world.operator, 1, body)))
  const template = (await world.ask(null, 'GET', '/api/templates/1/')).json<Template>()
  expect(template.versions?.map(({ version }) => version)).toEqual([3, 2, 1])
  expect((await feed.range()).last).toBe(before + 2)
})

it('chooses the version of a slice that was made before its template had an image with its first sliver', async () => {
  await using world = await testbeds.start()
  const ask = (url: string, body: object) => world.ask(world.red, 'POST', url, { body })
  const made = (
    await ask(routes.templates, { name: 'own', node_archs: ['x86_64'] })
  ).json<Template>()
  const slice = { name: 'planned', sliver_defaults: { template: { id: made.id } } }
  const planned = (await ask(routes.slices, slice)).json<SliceWithSlivers['slice']>()
  expect(planned.sliver_defaults).toMatchObject({ template_version: null, template_sha256: null })
  const sliver = { slice: { id: planned.id }, node: { id: 1 } }
  expect((await ask(routes.slivers, sliver)).json()).toMatchObject({
    code: 'LAB_TEMPLATE_NO_IMAGE',
  })
  await upload(world, world.red, made.id, 'first')
  expect((await ask(routes.slivers, sliver)).json()).toMatchObject({ template_version: 1 })
  const bare = { name: 'bare', sliver_defaults: { template: { id: made.id }, template_version: 7 } }
  expect((await ask(routes.slices, bare)).json()).toMatchObject({ code: 'LAB_TEMPLATE_NO_VERSION' })
})
