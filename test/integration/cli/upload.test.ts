import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { tusMediaType, type Upload } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createClient } from '../../../server/cli/src/http/client.ts'
import { uploadFile } from '../../../server/cli/src/http/upload.ts'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()

it('the parts of an upload are those of one file, also when it is removed or replaced meanwhile', async () => {
  const { place, server } = fakes
  // A part has 16 MiB.
  const bytes = randomBytes(16 * 1024 ** 2 + 10)
  const file = await place.write('image.tar.gz', bytes)
  const upload: Upload = {
    uri: '/api/templates/1/uploads/one',
    id: 'one',
    length_bytes: bytes.length,
    offset_bytes: 0,
    sha256: null,
    created_on: '2026-05-04T12:00:00Z',
    expires_on: '2026-05-05T12:00:00Z',
  }
  const came: Buffer[] = []
  server.addContentTypeParser(tusMediaType, (_request, body, parsed) => parsed(null, body))
  server.get('/api/templates/1/uploads/', () => [])
  server.post('/api/templates/1/uploads/', () => upload)
  server.patch(upload.uri, async ({ body }, reply) => {
    came.push(await buffer(body as Readable))
    await rm(file, { force: true })
    return reply.code(204).send()
  })
  const client = createClient({ base: await fakes.listen(), signal: AbortSignal.timeout(60_000) })
  await uploadFile(client, '/api/templates/1/uploads/', {
    file,
    sizeBytes: bytes.length,
    sha256: 'a'.repeat(64),
    onProgress: () => undefined,
    isThere: () => Promise.resolve(false),
    signal: AbortSignal.timeout(60_000),
  })
  expect(Buffer.concat(came).equals(bytes)).toBe(true)
})
