import { createHash } from 'node:crypto'
import { LabError, path, routes, tusMediaType, type Upload } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'

/** The data archives of a world. */
export interface Archives {
  /** @throws {@link LabError} LAB_DATA_UNKNOWN when it was not uploaded. */
  require(sha256: string | null): void
  /** Return an archive that was uploaded. */
  get(sha256: string): Buffer
}

/** Add the uploads of data archives of group red. */
export function addData(app: FastifyInstance, uploads: string[]): Archives {
  const archives = new Map<string, Buffer>()
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
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    uploads.push(sha256)
    archives.set(sha256, bytes)
    return reply.code(204).send()
  })
  return {
    get: (sha256) => archives.get(sha256) ?? Buffer.alloc(0),
    require(sha256) {
      if (sha256 === null || uploads.includes(sha256)) return
      const uri = path(routes.groupData, { id: 1, hash: sha256 })
      throw new LabError('LAB_DATA_UNKNOWN', {
        ...{ sha256, group: 'red', uri, uploads_uri: uploadsUri },
      })
    },
  }
}
