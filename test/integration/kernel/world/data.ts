import { createHash } from 'node:crypto'
import { LabError, path, routes, tusMediaType, type Upload } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'

/** Add the uploads of data archives of group red. Returns a function that requires an archive. */
export function addData(app: FastifyInstance, uploads: string[]): (sha256: string | null) => void {
  const uploadsUri = path(routes.groupDataUploads, { id: 1 })
  let bytes = Buffer.alloc(0)
  app.addContentTypeParser(tusMediaType, { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  app.get('/api/groups/1/data/:hash', (_request, reply) => reply.code(404).send())
  app.get(uploadsUri, () => [])
  app.post(uploadsUri, ({ headers }): Upload => {
    bytes = Buffer.alloc(0)
    return {
      uri: `${uploadsUri}one/`,
      id: 'one',
      length_bytes: Number(headers['upload-length']),
      offset_bytes: 0,
      sha256: null,
      created_on: '2026-05-04T12:00:00Z',
      expires_on: '2026-05-05T12:00:00Z',
    }
  })
  app.patch<{ Body: Buffer }>(`${uploadsUri}one/`, ({ body }, reply) => {
    bytes = Buffer.concat([bytes, body])
    uploads.push(createHash('sha256').update(bytes).digest('hex'))
    return reply.code(204).send()
  })
  return (sha256) => {
    if (sha256 === null || uploads.includes(sha256)) return
    const uri = path(routes.groupData, { id: 1, hash: sha256 })
    throw new LabError('LAB_DATA_UNKNOWN', {
      sha256,
      group: 'red',
      uri,
      uploads_uri: uploadsUri,
    })
  }
}
