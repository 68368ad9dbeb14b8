import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()

it("prints an enrolment token alone, so that it can be piped into a device's set-up", async () => {
  fakes.server.get('/api/nodes/', () => [aNode(3, 'n1')])
  fakes.server.post('/api/nodes/3/ctl/enrollment-token/', () => {
    return { token: 'clab1.abc', expires_on: '2026-01-01T00:00:00Z' }
  })
  await fakes.listen()
  const { out, err } = await fakes.place.run(['node', 'enroll-token', 'n1'])
  expect(out).toBe('clab1.abc\n')
  expect(err).toContain('2026-01-01')
})

it('adds a template and uploads its image with its checksum', async () => {
  const template = {
    uri: '/api/templates/9/',
    id: 9,
    name: 'mine',
    description: '',
    type: 'debian',
    node_archs: ['x86_64'],
    ...{ is_active: true, group: null, is_public: true },
    ...{ image_uri: null, image_sha256: null, image_size_bytes: null },
  }
  fakes.server.get('/api/templates/', () => [])
  fakes.server.post('/api/templates/', () => template)
  fakes.server.put('/api/templates/9/ctl/upload-image/', () => template)
  await fakes.listen()
  const other = await fakes.place.run([
    'template',
    'add',
    'mine',
    await fakes.place.write('mine.zip', 'PK'),
  ])
  expect([other.code, other.err]).toEqual([2, expect.stringContaining('is no .tar.gz file')])
  expect(fakes.asked).toEqual([])
  const bytes = gzipSync(randomBytes(200_000))
  const image = await fakes.place.write('mine.tar.gz', bytes)
  const { code, out } = await fakes.place.run(['template', 'add', 'mine', image])
  expect(code).toBe(0)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  expect(out).toContain(sha256)
  expect(fakes.asked.at(-1)).toMatchObject({ method: 'PUT', body: sha256 })
})
