import { DataArchive, LabError, maxDataBytes, routes, Slice, Sliver } from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import type { TSchema } from 'typebox'
import { permit } from '../access/permit.ts'
import type { RightName } from '../domain/rights.ts'
import { sendFile } from '../http/send-file.ts'
import { bodyStream } from '../http/body-stream.ts'
import { hasArchive, usesArchive } from '../registry/write/data-archives.ts'
import { patchSlice, readSlice } from '../registry/write/slices.ts'
import { patchSliver, readSliver } from '../registry/write/slivers.ts'
import { numericId, pattern, type RouteContext } from './context.ts'
import type { UploadedFile } from '../upload/uploads.ts'
import { uploadWhole } from '../upload/whole.ts'
import { readLength, uploadRoutes, type UploadTarget } from './upload-routes.ts'

const types = [
  'application/gzip',
  'application/x-gzip',
  'application/zstd',
  'application/x-tar',
  'application/octet-stream',
]

type Upload = FastifyRequest<{ Params: { id: string; hash?: string }; Body: Readable }>

/** Routes of data archives, which groups upload for their slivers. Uploads are streamed to disk. */
export function dataRoutes(
  app: FastifyInstance,
  { registry, uploads, dataFiles }: RouteContext,
): void {
  async function targetOf(groupId: number): Promise<DataTarget> {
    const name = (await registry.groupContact(groupId))?.name ?? String(groupId)
    return {
      target: dataTarget(groupId),
      // Images of templates have bounds of their own.
      owner: `data of group ${groupId}`,
      ownerInWords: `group ${name}`,
      maxBytes: maxDataBytes,
      requireRoom: (file, promisedBytes) =>
        dataFiles.requireRoom({ id: groupId, name }, file, promisedBytes),
      use: (uploaded) => dataFiles.add(uploaded, groupId),
    }
  }

  uploadRoutes(app, {
    uploads,
    routes: { all: routes.groupDataUploads, one: routes.groupDataUpload },
    rights: { send: 'upload data', read: 'read uploads of data' },
    tags: ['groups'],
    what: 'a data archive',
    targetOf: (request) => targetOf(numericId(request, 'group')),
  })

  async function take(request: Upload, groupId: number): Promise<DataArchive> {
    const given = request.params.hash ?? request.headers['x-sha256']
    const { requireRoom, use, ...target } = await targetOf(groupId)
    const file = {
      sha256: typeof given === 'string' ? given.slice(0, 64) : null,
      lengthBytes: readLength(request, 'content-length', maxDataBytes),
    }
    const upload = {
      ...target,
      ...file,
      requireRoom: (promisedBytes: number) => requireRoom(file, promisedBytes),
    }
    return uploadWhole(uploads, upload, {
      body: bodyStream(request.body),
      async use(uploaded) {
        // The sender may have lost the right while the archive came.
        await request.permitAgain()
        return use(uploaded)
      },
    })
  }

  /** Add a route that takes an archive. It has a scope of its own, because only these routes accept such bodies. */
  function uploadRoute({ url, right, tag, summary, schema, handle }: UploadRoute): void {
    void app.register((scope, _options, done) => {
      scope.addContentTypeParser(types, (_request, body, parsed) => parsed(null, body))
      scope.put(
        url,
        {
          bodyLimit: maxDataBytes,
          config: { right },
          schema: { tags: [tag], summary, consumes: types, response: { 200: schema } },
        },
        (request: Upload) => handle(request),
      )
      done()
    })
  }

  uploadRoute({
    url: pattern(routes.groupData),
    right: 'upload data',
    tag: 'groups',
    summary: 'Upload a data archive with this SHA-256, for slices to name',
    schema: DataArchive,
    handle: (request) => take(request, numericId(request, 'group')),
  })
  uploadRoute({
    url: pattern(routes.sliceUploadData),
    right: 'change a slice',
    tag: 'slices',
    summary: 'Upload the data archive of its slivers; they have it from their next update on',
    schema: Slice,
    handle: async (request) => {
      const { id, group } = await readSlice(registry, numericId(request, 'slice'))
      const { sha256 } = await take(request, group.id)
      return patchSlice(registry, id, { sliver_defaults: { data_sha256: sha256 } }, null)
    },
  })
  uploadRoute({
    url: pattern(routes.sliverUploadData),
    right: 'change a sliver',
    tag: 'slivers',
    summary: 'Upload a data archive for it alone; it has it from its next update on',
    schema: Sliver,
    handle: async (request) => {
      const { id, slice } = await readSliver(registry, request.params.id)
      const { group } = await readSlice(registry, slice.id)
      const { sha256 } = await take(request, group.id)
      return patchSliver(registry, id, { data_sha256: sha256 }, null)
    },
  })
  app.get(
    pattern(routes.groupData),
    {
      config: { right: 'read data' },
      schema: {
        tags: ['groups'],
        summary: 'A data archive',
        produces: ['application/octet-stream'],
      },
    },
    async (request: FastifyRequest<{ Params: { id: string; hash: string } }>, reply) => {
      const { principal, params } = request
      const archive = { groupId: numericId(request, 'group'), sha256: params.hash }
      const { groupId, sha256 } = archive
      const { nodeId } = principal
      const isItsNode = nodeId !== null && (await usesArchive(registry.db, nodeId, archive))
      permit(principal, 'read data', {
        owner: { groupId, ...(isItsNode ? { nodeId } : {}) },
        group: await registry.groupContact(groupId),
      })
      if (!(await hasArchive(registry.db, archive)))
        throw new LabError('LAB_NOT_FOUND', { kind: 'data archive', id: sha256.slice(0, 64) })
      const type = 'application/octet-stream'
      return sendFile(request, reply, { file: dataFiles.file(sha256), etag: sha256, type })
    },
  )
}

/** Return what uploads of a group's data are for. */
export function dataTarget(groupId: number): string {
  return `the data of group ${groupId}`
}

/** What uploads of a group's data are for, and what they become. */
interface DataTarget extends UploadTarget {
  readonly use: (uploaded: UploadedFile) => Promise<DataArchive>
}

/** A route that takes an archive. */
interface UploadRoute {
  readonly url: string
  readonly right: RightName
  readonly tag: string
  readonly summary: string
  /** The schema of the answer. */
  readonly schema: TSchema
  readonly handle: (request: Upload) => Promise<object>
}
