import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { path, routes, type Template } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { image, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex')
const second = gzipSync('another root file system')
const third = gzipSync('a third root file system')

function upload(world: TestbedWorld, body: Buffer, headers: Readonly<Record<string, string>> = {}) {
  return world.ask(world.operator, 'PUT', path(routes.templateUploadImage, { id: 1 }), {
    body,
    headers: { 'content-type': 'application/gzip', ...headers },
  })
}

const download = (world: TestbedWorld, version = 1) =>
  world.ask(null, 'GET', path(routes.templateImage, { id: 1, version }))

const files = ({ dataDir }: TestbedWorld) => readdir(join(dataDir, 'images'))

describe('a template', () => {
  it('is made by an operator, changed, and removed when no slice uses it', async () => {
    await using world = await testbeds.start()
    const made = await world.ask(world.operator, 'POST', routes.templates, {
      body: { name: 'big', node_archs: ['x86_64', 'aarch64'] },
    })
    expect(made.headers.location).toBe('/api/templates/2/')
    expect(made.json()).toMatchObject({ type: 'debian', is_active: true, image_uri: null })
    const ensure = (template: string) =>
      world.ask(world.red, 'PUT', routes.sliceEnsure, {
        body: { name: 'mine', template, nodes: ['n1'] },
      })
    expect((await ensure('big')).json()).toMatchObject({ code: 'LAB_TEMPLATE_NO_IMAGE' })
    const url = '/api/templates/1/'
    await world.ask(world.operator, 'PATCH', url, { body: { is_active: false } })
    expect((await ensure('tiny')).json()).toMatchObject({ code: 'LAB_SLICE_UNKNOWN_TEMPLATE' })
    await world.ask(world.operator, 'PATCH', url, { body: { is_active: true } })
    expect((await ensure('tiny')).statusCode).toBe(201)
    const used = await world.ask(world.operator, 'DELETE', url)
    expect(used.statusCode).toBe(409)
    expect(used.json()).toMatchObject({
      code: 'LAB_TEMPLATE_IN_USE',
      details: { template: 'tiny', slices: ['mine'] },
    })
    await world.ask(world.red, 'DELETE', '/api/slices/1/')
    expect((await world.ask(world.operator, 'DELETE', url)).statusCode).toBe(204)
    expect(await files(world)).toEqual([])
  })
})

describe('a template of a group', () => {
  const make = async (world: TestbedWorld, body: object = {}) => {
    const asked = { name: 'own', node_archs: ['x86_64'], ...body }
    return world.ask(world.red, 'POST', routes.templates, { body: asked })
  }
  const uploadTo = (world: TestbedWorld, id: number, token = world.red, body = second) =>
    world.ask(token, 'PUT', path(routes.templateUploadImage, { id }), {
      body,
      headers: { 'content-type': 'application/gzip' },
    })
  const use = async (world: TestbedWorld, token: string, name: string) => {
    const body = { name, template: 'own', nodes: ['n1'] }
    const answer = await world.ask(token, 'PUT', routes.sliceEnsure, { body })
    return answer.json<{ code?: string }>().code ?? 'made'
  }

  it('is used and downloaded by the group alone, until an operator makes it public', async () => {
    await using world = await testbeds.start()
    const made = (await make(world)).json<Template>()
    expect(made).toMatchObject({ group: { id: 2 }, is_public: false, image_uri: null })
    expect((await uploadTo(world, made.id)).statusCode).toBe(200)
    const read = async (token: string | null) =>
      (await world.ask(token, 'GET', path(routes.templateImage, { id: made.id, version: 1 })))
        .statusCode
    const askers = [null, world.blue, world.red, world.operator, world.nodes[0] ?? '']
    expect(await Promise.all(askers.map(read))).toEqual([401, 403, 200, 200, 403])
    expect(await use(world, world.red, 'of-red')).toBe('made')
    // A node with a sliver of it unpacks it; others are strangers' devices.
    expect(await Promise.all(world.nodes.map(read))).toEqual([200, 403])
    expect(await use(world, world.blue, 'of-blue')).toBe('LAB_TEMPLATE_NOT_PUBLIC')
    const body = { name: 'direct', sliver_defaults: { template: { id: made.id } } }
    const direct = await world.ask(world.blue, 'POST', routes.slices, { body })
    expect(direct.json()).toMatchObject({ code: 'LAB_TEMPLATE_NOT_PUBLIC' })
    const publish = (token: string, isPublic: boolean) =>
      world.ask(token, 'PATCH', made.uri, { body: { is_public: isPublic, version: 1 } })
    expect((await publish(world.red, true)).statusCode).toBe(403)
    expect((await publish(world.operator, true)).json()).toMatchObject({ is_public: true })
    expect(await Promise.all(askers.map(read))).toEqual([200, 200, 200, 200, 200])
    expect(await use(world, world.blue, 'of-blue')).toBe('made')
    await publish(world.operator, false)
    // A slice keeps its template.
    expect(await use(world, world.blue, 'of-blue')).toBe('made')
    expect(await use(world, world.blue, 'second')).toBe('LAB_TEMPLATE_NOT_PUBLIC')
    const target = await world.ask(world.nodes[0] ?? '', 'GET', path(routes.nodeTarget, { id: 1 }))
    expect(target.body).toContain(path(routes.templateImage, { id: made.id, version: 1 }))
  })

  it('is one of at most 20, also with requests at once, and holds its group', async () => {
    await using world = await testbeds.start()
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) => make(world, { name: `own${index}` })),
    )
    const codes = answers.map((answer) => answer.json<{ code?: string }>().code ?? 'made')
    expect(codes.filter((code) => code === 'made')).toHaveLength(20)
    expect(codes.filter((code) => code === 'LAB_TEMPLATE_QUOTA')).toHaveLength(4)
    const removed = await world.ask(world.red, 'DELETE', path(routes.group, { id: 2 }))
    expect(removed.json()).toMatchObject({
      code: 'LAB_GROUP_IN_USE',
      detail: expect.stringContaining('20 templates') as string,
    })
  })

  it('takes no image beyond what its group may have, also with uploads at once', async () => {
    await using world = await testbeds.start()
    const [own, other] = [
      (await make(world)).json<Template>(),
      (await make(world, { name: 'other' })).json<Template>(),
    ]
    const { db } = world.database
    const first = { template_id: other.id, version: 1, image_sha256: 'e'.repeat(64) }
    const row = { ...first, image_size_bytes: 0, is_public: false }
    await db.insertInto('template_versions').values(row).execute()
    const size = (bytes: number) =>
      db
        .updateTable('template_versions')
        .set({ image_size_bytes: bytes })
        .where('template_id', '=', other.id)
        .execute()
    await size(8 * 1024 ** 3 - second.length)
    expect((await uploadTo(world, own.id)).statusCode).toBe(200)
    // The image of before stays with its version, and counts.
    await size(8 * 1024 ** 3 - second.length - third.length + 1)
    const full = await uploadTo(world, own.id, world.red, third)
    expect([full.statusCode, full.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'LAB_TEMPLATE_QUOTA' }),
    ])
    await size(0)
    const statuses = async () =>
      (await Promise.all([own, own, own].map(({ id }) => uploadTo(world, id)))).map(
        ({ statusCode }) => statusCode,
      )
    expect(await statuses()).toEqual([200, 200, 200])
    expect((await uploadTo(world, own.id, world.blue)).statusCode).toBe(403)
    expect((await world.ask(world.red, 'DELETE', own.uri)).statusCode).toBe(204)
  })
})

describe('an image', () => {
  it('is kept under its SHA-256 and served as it came', async () => {
    await using world = await testbeds.start()
    const { image_sha256, image_size_bytes, image_uri } = world.template
    expect([image_sha256, image_size_bytes]).toEqual([sha256(image), image.length])
    expect(image_uri).toBe('/api/templates/1/versions/1/image.tar.gz')
    const served = await download(world)
    expect(served.rawPayload).toEqual(image)
    expect(served.headers).toMatchObject({
      'content-type': 'application/gzip',
      'content-length': String(image.length),
      etag: `"${sha256(image)}"`,
    })
  })

  it('makes a new version when it is what its sender says, and leaves the one before as it is', async () => {
    await using world = await testbeds.start()
    const answer = await upload(world, second, { 'x-sha256': sha256(second) })
    expect(answer.json<Template>()).toMatchObject({ version: 2, image_sha256: sha256(second) })
    expect((await download(world, 2)).rawPayload).toEqual(second)
    expect((await download(world)).rawPayload).toEqual(image)
    expect(await files(world)).toHaveLength(2)
  })

  it.each([
    ['another than its sender says', second, { 'x-sha256': '0'.repeat(64) }, 422, 'CHECKSUM'],
    ['no gzip file', Buffer.from('PK'), {}, 415, 'LAB_REQUEST_MEDIA_TYPE'],
    ['nothing', Buffer.alloc(0), {}, 411, 'LAB_UPLOAD_NO_LENGTH'],
    ['of another type', second, { 'content-type': 'image/png' }, 415, 'LAB_REQUEST_MEDIA_TYPE'],
  ])('that is %s leaves the one there was', async (_, body, headers, status, code) => {
    await using world = await testbeds.start()
    const before = await world.context.feed.range()
    const answer = await upload(world, body, headers)
    expect(answer.statusCode).toBe(status)
    expect(answer.json<{ code: string }>().code).toContain(code)
    expect((await download(world)).rawPayload).toEqual(image)
    expect(await files(world)).toEqual([`${sha256(image)}.tar.gz`])
    expect(await world.context.feed.range()).toEqual(before)
  })

  it('that says it is too large is refused before it is read', async () => {
    await using world = await testbeds.start()
    const answer = await upload(world, second, { 'content-length': String(3 * 1024 ** 3) })
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ code: 'LAB_REQUEST_TOO_LARGE' })
    expect(await files(world)).toEqual([`${sha256(image)}.tar.gz`])
  })

  it('is never taken for unused while others come in', async () => {
    await using world = await testbeds.start()
    const bodies = Array.from({ length: 8 }, (_, index) => gzipSync(`root ${index}`))
    const templates = await Promise.all(
      bodies.map(async (body, index) => {
        const made = await world.ask(world.operator, 'POST', routes.templates, {
          body: { name: `t${index}`, node_archs: ['x86_64'] },
        })
        const { id } = made.json<Template>()
        await world.ask(world.operator, 'PUT', path(routes.templateUploadImage, { id }), {
          body,
          headers: { 'content-type': 'application/gzip' },
        })
        return { id, body }
      }),
    )
    for (const { id, body } of templates) {
      const served = await world.ask(null, 'GET', path(routes.templateImage, { id, version: 1 }))
      expect(served.rawPayload).toEqual(body)
    }
  })

  it('comes as the file of a form, too, in which CONFINE’s clients send it', async () => {
    await using world = await testbeds.start()
    const send = async (name: string, body: Buffer) => {
      const form = new FormData()
      form.append('anything', new Blob([new Uint8Array(body)]), name)
      const { headers, body: stream } = new Response(form)
      const payload = Buffer.from(await new Response(stream).arrayBuffer())
      const url = path(routes.templateUploadImage, { id: 1 })
      const type = headers.get('content-type') ?? ''
      const asked = { body: payload, headers: { 'content-type': type, accept: '*/*' } }
      const answer = await world.ask(world.operator, 'POST', url, asked)
      return [answer.statusCode, answer.json<{ detail: string }>().detail]
    }
    expect(await send('own.tgz', second)).toEqual([200, 'File uploaded correctly'])
    expect((await download(world, 2)).rawPayload).toEqual(second)
    const [status, detail] = await send('own.zip', second)
    expect([status, detail]).toEqual([400, expect.stringContaining('"own.zip" does not have')])
    expect((await send('none.tgz', Buffer.from('no gzip file')))[0]).toBe(415)
    expect(await readdir(join(world.dataDir, 'uploads'))).toEqual([])
    expect(await files(world)).toHaveLength(2)
  })

  it('that breaks off leaves nothing of itself', async () => {
    await using world = await testbeds.start()
    const origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const sent = request(`${origin}${path(routes.templateUploadImage, { id: 1 })}`, {
      method: 'PUT',
      headers: {
        'content-type': 'application/gzip',
        'content-length': second.length,
        authorization: `Bearer ${world.operator}`,
      },
    })
    sent.on('error', () => undefined)
    const closed = new Promise((resolve) => sent.on('close', resolve))
    sent.write(second.subarray(0, 20), () => sent.destroy())
    await closed
    // The server stops only when its requests have ended.
    await world.app.close()
    expect(await files(world)).toEqual([`${sha256(image)}.tar.gz`])
    expect(await readdir(join(world.dataDir, 'uploads'))).toEqual([])
  })
})
