import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { path, routes, type Template, type Upload } from '@community-lab/contract'
import { Upload as TusUpload } from 'tus-js-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const image = gzipSync(randomBytes(400_000), { level: 0 })
const sha256 = createHash('sha256').update(image).digest('hex')
const all = path(routes.templateUploads, { id: 1 })
const tus = { 'tus-resumable': '1.0.0' }

const begin = (world: TestbedWorld, headers: Readonly<Record<string, string>> = {}) =>
  world.ask(world.operator, 'POST', all, {
    headers: { ...tus, 'upload-length': String(image.length), ...headers },
  })

const send = (world: TestbedWorld, { uri, from, to }: { uri: string; from: number; to?: number }) =>
  world.ask(world.operator, 'PATCH', uri, {
    body: image.subarray(from, to),
    headers: {
      ...tus,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(from),
    },
  })

const readTemplate = async (world: TestbedWorld) =>
  (await world.ask(null, 'GET', '/api/templates/1/')).json<Template>()

it('takes an image in parts from the usual client of the protocol, which knows nothing of this server', async () => {
  await using world = await testbeds.start()
  const origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
  const done = Promise.withResolvers<null>()
  const upload = new TusUpload(image, {
    endpoint: origin + all,
    headers: { authorization: `Bearer ${world.operator}` },
    metadata: { sha256 },
    chunkSize: 100_000,
    retryDelays: null,
    onError: done.reject,
    onSuccess: () => done.resolve(null),
  })
  upload.start()
  await done.promise
  expect(await readTemplate(world)).toMatchObject({ version: 2, image_sha256: sha256 })
  // Cancelling what is finished leaves it, and the client asks again for what it had.
  expect(upload.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/templates\/1\/uploads\//u)
  const head = await fetch(upload.url ?? '', {
    method: 'HEAD',
    headers: { ...tus, authorization: `Bearer ${world.operator}` },
  })
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, String(image.length)])
})

it('is visible only when it is whole, and then is a version like any other', async () => {
  await using world = await testbeds.start()
  const begun = await begin(world, {
    'upload-metadata': `filename eA==,sha256 ${Buffer.from(sha256).toString('base64')}`,
  })
  expect(begun.statusCode).toBe(201)
  const upload = begun.json<Upload>()
  expect(begun.headers).toMatchObject({ location: upload.uri, ...tus })
  expect(upload).toMatchObject({ length_bytes: image.length, offset_bytes: 0, sha256 })
  const part = await send(world, { uri: upload.uri, from: 0, to: 100_000 })
  expect([part.statusCode, part.headers['upload-offset']]).toEqual([204, '100000'])
  expect(await readTemplate(world)).toEqual(world.template)
  expect(await readdir(join(world.dataDir, 'images'))).toHaveLength(1)
  const again = await send(world, { uri: upload.uri, from: 0 })
  expect([again.statusCode, again.json()]).toEqual([
    409,
    expect.objectContaining({
      code: 'LAB_UPLOAD_OFFSET',
      details: { upload: upload.id, expected: 100_000, found: 0 },
    }),
  ])
  const unfinished = await world.ask(world.operator, 'GET', all)
  expect(unfinished.json()).toMatchObject([{ id: upload.id, offset_bytes: 100_000 }])
  expect((await send(world, { uri: upload.uri, from: 100_000 })).statusCode).toBe(204)
  expect(await readTemplate(world)).toMatchObject({ version: 2, image_sha256: sha256 })
  expect((await world.ask(world.operator, 'GET', all)).json()).toEqual([])
})

it('makes a version of each of two uploads to one template at once', async () => {
  await using world = await testbeds.start()
  const other = gzipSync('another')
  const [one, two] = await Promise.all([
    begin(world),
    begin(world, { 'upload-length': String(other.length) }),
  ])
  const [first, second] = [one.json<Upload>(), two.json<Upload>()]
  await send(world, { uri: first.uri, from: 0, to: 1000 })
  const headers = {
    ...tus,
    'content-type': 'application/offset+octet-stream',
    'upload-offset': '0',
  }
  const ended = await Promise.all([
    world.ask(world.operator, 'PATCH', second.uri, { body: other, headers }),
    send(world, { uri: first.uri, from: 1000 }),
  ])
  expect(ended.map(({ statusCode }) => statusCode)).toEqual([204, 204])
  const { versions = [] } = await readTemplate(world)
  expect(versions.map(({ image_size_bytes: size }) => size).sort()).toEqual(
    [world.template.image_size_bytes, image.length, other.length].sort(),
  )
})

it.each([
  ['of another version of the protocol', { 'tus-resumable': '0.2.2' }, 412, 'LAB_UPLOAD_PROTOCOL'],
  ['without its length', { 'upload-length': '' }, 411, 'LAB_UPLOAD_NO_LENGTH'],
  ['that is too large', { 'upload-length': String(2 ** 40) }, 413, 'LAB_REQUEST_TOO_LARGE'],
  [
    'with a SHA-256 that is none',
    { 'upload-metadata': `sha256 ${btoa('x')}` },
    400,
    'LAB_REQUEST_INVALID',
  ],
])('refuses one %s before anything is stored', async (_, headers, status, code) => {
  await using world = await testbeds.start()
  const answer = await begin(world, headers)
  expect([answer.statusCode, answer.json()]).toEqual([status, expect.objectContaining({ code })])
  expect(await readdir(join(world.dataDir, 'uploads'))).toEqual([])
})

it('refuses one that its group has no room for with what it has, and forgets one that is cancelled', async () => {
  await using world = await testbeds.start()
  const body = { name: 'own', node_archs: ['x86_64'] }
  const made = (await world.ask(world.red, 'POST', routes.templates, { body })).json<Template>()
  const uploads = path(routes.templateUploads, { id: made.id })
  const ask = (bytes: number) =>
    world.ask(world.red, 'POST', uploads, { headers: { ...tus, 'upload-length': String(bytes) } })
  const { db } = world.database
  const row = { template_id: made.id, version: 1, image_sha256: 'e'.repeat(64), is_public: false }
  await db
    .insertInto('template_versions')
    .values({ ...row, image_size_bytes: 8 * 1024 ** 3 - 1000 })
    .execute()
  const first = await ask(600)
  expect(first.statusCode).toBe(201)
  const second = await ask(600)
  expect([second.statusCode, second.json()]).toEqual([
    409,
    expect.objectContaining({ code: 'LAB_TEMPLATE_QUOTA' }),
  ])
  const { uri } = first.json<Upload>()
  expect((await world.ask(world.blue, 'DELETE', uri)).statusCode).toBe(403)
  expect((await world.ask(world.red, 'DELETE', uri)).statusCode).toBe(204)
  expect((await world.ask(world.red, 'GET', uri)).statusCode).toBe(404)
  expect((await ask(600)).statusCode).toBe(201)
})

it('ends with its template, and its group has the room again', async () => {
  await using world = await testbeds.start()
  const make = async (name: string) => {
    const body = { name, node_archs: ['x86_64'] }
    const made = await world.ask(world.red, 'POST', routes.templates, { body })
    return path(routes.template, { id: made.json<Template>().id })
  }
  const begin = (template: string) => {
    const headers = { ...tus, 'upload-length': String(1024 ** 2) }
    return world.ask(world.red, 'POST', `${template}uploads/`, { headers })
  }
  const own = await make('own')
  for (let nr = 0; nr < 10; nr++) expect((await begin(own)).statusCode).toBe(201)
  expect((await world.ask(world.red, 'DELETE', own)).statusCode).toBe(204)
  expect(await readdir(join(world.dataDir, 'uploads'))).toEqual([])
  expect((await begin(await make('next'))).statusCode).toBe(201)
})

it('answers who asks what it speaks', async () => {
  await using world = await testbeds.start()
  const answer = await world.app.inject({ method: 'OPTIONS', url: all })
  expect(answer.headers).toMatchObject({
    'tus-version': '1.0.0',
    'tus-extension': 'creation,expiration,termination',
  })
})
