import { open } from 'node:fs/promises'
import {
  archiveHeadBytes,
  archiveKindOf,
  LabError,
  routes,
  Template,
} from '@community-lab/contract'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
import { bodyStream } from '../http/body-stream.ts'
import { imagesFull, maxGroupImagesBytes, readImageRoom } from '../registry/write/template-rules.ts'
import { readTemplate } from '../registry/write/templates.ts'
import { addVersion } from '../registry/write/template-versions.ts'
import type { UploadRequest } from '../upload/uploads.ts'
import { uploadWhole } from '../upload/whole.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'
import { readLength, uploadRoutes, type UploadTarget } from './upload-routes.ts'

const tags = ['templates']
/** The largest image, in bytes. Nodes accept no larger one. */
const maxImageBytes = 1024 ** 3
/** The largest form with an image: its boundaries and other fields take some of it. */
const maxFormBytes = maxImageBytes + 64 * 1024
/** A form has one file, of any field, and nothing else that is read. */
const formLimits = {
  files: 1,
  fields: 8,
  fieldSize: 1024,
  parts: 9,
  headerPairs: 32,
  // A longer one would be cut without a word.
  fileSize: maxFormBytes,
}

/** Routes for the upload of templates' images: in parts that can be resumed, or whole by PUT or as a form by POST. */
export function imageUploads(app: FastifyInstance, context: RouteContext): void {
  const { registry, uploads } = context
  const targetOf = async (request: ById): Promise<UploadTarget> => {
    const template = await readTemplate(registry, numericId(request, 'template'))
    return describeTarget(context, template, request)
  }
  uploadRoutes(app, {
    uploads,
    routes: { all: routes.templateUploads, one: routes.templateUpload },
    rights: { send: 'upload a template’s image', read: 'read uploads to a template' },
    tags,
    what: 'an image',
    targetOf,
  })
  // An image is streamed to disk. Each way has a scope of its own, because only its route accepts such bodies.
  void app.register((scope, _options, done) => {
    const types = ['application/gzip', 'application/x-gzip', 'application/octet-stream']
    scope.addContentTypeParser(types, (_request, body, parsed) => parsed(null, body))
    scope.put<{ Params: { id: string }; Body: Readable }>(
      pattern(routes.templateUploadImage),
      {
        bodyLimit: maxImageBytes,
        config: { right: 'upload a template’s image' },
        // Refuse it before the body is read.
        onRequest: requireLength,
        schema: {
          tags,
          summary: 'Upload an image, a .tar.gz; the header x-sha256 is checked when it is there',
          consumes: ['application/gzip'],
          response: { 200: Template },
        },
      },
      async (request) => {
        const sha256 = request.headers['x-sha256']
        const announced = typeof sha256 === 'string' ? sha256.slice(0, 64) : null
        await receiveWhole(request, bodyStream(request.body), {
          sha256: announced,
          mayBeShorter: false,
        })
        return await readTemplate(registry, numericId(request, 'template'))
      },
    )
    done()
  })
  void app.register(async (scope) => {
    await scope.register(multipart, { limits: formLimits })
    scope.post<{ Params: { id: string } }>(
      pattern(routes.templateUploadImage),
      {
        bodyLimit: maxFormBytes,
        config: { right: 'upload a template’s image' },
        onRequest: requireLength,
        schema: {
          tags,
          summary: 'Upload an image as the file of a form, as CONFINE’s clients do',
          consumes: ['multipart/form-data'],
          response: { 200: Template },
        },
      },
      async (request) => {
        const file = await fileOf(request)
        await receiveWhole(request, file, { sha256: null, mayBeShorter: true })
        return await readTemplate(registry, numericId(request, 'template'))
      },
    )
  })

  /** Receive what one request brings as a whole, or nothing of it. */
  async function receiveWhole(
    request: ById,
    body: Readable,
    { sha256, mayBeShorter }: Pick<UploadRequest, 'sha256'> & { readonly mayBeShorter: boolean },
  ): Promise<void> {
    const { target, owner, ownerInWords, requireRoom, use } = await targetOf(request)
    const lengthBytes = readLength(request, 'content-length', maxFormBytes)
    const upload = {
      target,
      owner,
      ownerInWords,
      lengthBytes,
      sha256,
      mayBeShorter,
      requireRoom: (promisedBytes: number) => requireRoom({ lengthBytes, sha256 }, promisedBytes),
    }
    await uploadWhole(uploads, upload, {
      body,
      async use(uploaded) {
        // A large image takes long, and its sender may have lost the right meanwhile.
        await request.permitAgain()
        await use(uploaded)
      },
    })
  }
}

function requireLength(
  request: FastifyRequest,
  _reply: FastifyReply,
  next: (error?: Error) => void,
): void {
  const isForm = request.method === 'POST'
  readLength(request, 'content-length', isForm ? maxFormBytes : maxImageBytes)
  next()
}

/** Return the file of a form. @throws {@link LabError} LAB_REQUEST_INVALID. */
async function fileOf(request: FastifyRequest): Promise<Readable> {
  const refuse = (message: string): LabError =>
    new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '', message }] })
  const part = request.isMultipart() ? await request.file() : undefined
  if (part === undefined) throw refuse('Only multipart/form-data is supported')
  const { file, filename } = part
  if (/\.(?:tar\.gz|tgz)$/u.test(filename)) return file
  file.resume()
  const name = JSON.stringify(filename.slice(0, 128))
  throw refuse(`${name} does not have a valid extension ('.tar.gz', '.tgz')`)
}

/** Return what uploads to a template are for. */
export function templateTarget(id: number): string {
  return `template ${id}`
}

/** Describe uploads to a template for the one who asks. */
async function describeTarget(
  { registry, images }: RouteContext,
  { id, group }: Template,
  request: FastifyRequest,
): Promise<UploadTarget> {
  const groupId = group?.id ?? null
  const name = (await registry.groupContact(groupId))?.name ?? String(groupId)
  return {
    target: templateTarget(id),
    owner: groupId === null ? 'the operators' : `group ${groupId}`,
    ownerInWords: groupId === null ? 'the operators' : `group ${name}`,
    maxBytes: maxImageBytes,
    async requireRoom({ lengthBytes }, promisedBytes) {
      if (groupId === null) return
      const room = Math.max(0, (await readImageRoom(registry.db, groupId)) - promisedBytes)
      if (lengthBytes <= room) return
      throw imagesFull(name, maxGroupImagesBytes - room)
    },
    async use({ file, sha256, sizeBytes }) {
      if (sizeBytes > maxImageBytes)
        throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxImageBytes })
      await requireGzip(file)
      await images.keep(file, sha256, () =>
        addVersion(registry, id, {
          sha256,
          sizeBytes,
          // The sender may have lost the rights of an operator meanwhile.
          isPublic: (locked) => vouches(request.principal, locked),
        }),
      )
    },
  }
}

/** Require that a file begins as a gzip file does. @throws {@link LabError} LAB_REQUEST_MEDIA_TYPE. */
async function requireGzip(path: string): Promise<void> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(archiveHeadBytes), { position: 0 })
  if (archiveKindOf(buffer.subarray(0, bytesRead)) === 'gzip') return
  const expected = 'the root file system as a .tar.gz file'
  throw new LabError('LAB_REQUEST_MEDIA_TYPE', { found: 'no gzip file', expected })
}

/**
 * Tell whether a new version is public at once. An operator who adds it to a public template vouches for it; what others add, slices of other groups would run
 * without anybody having looked at it.
 */
function vouches(principal: Principal, { is_public: isPublic }: Template): boolean {
  return isPublic && findRefusal('make a template public', principal, {}) === null
}
