import { LabError, path, tusMediaType, tusVersion, Upload } from '@community-lab/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import Type from 'typebox'
import type { RightName } from '../domain/rights.ts'
import type { UploadedFile, UploadRequest, Uploads, UploadState } from '../upload/uploads.ts'
import { pattern } from './context.ts'

/** The object that uploads of a request are for. */
export interface UploadTarget {
  /** Such as `template 3`. */
  readonly target: string
  /** Whose bounds hold, such as `group 2`, and the same with its name. */
  readonly owner: string
  readonly ownerInWords: string
  /** The largest file, in bytes. */
  readonly maxBytes: number
  /** Refuse a file that would exceed what the owner may have, when other uploads of the owner have so many bytes. */
  readonly requireRoom: (file: AnnouncedFile, promisedBytes: number) => Promise<void>
  /** Use what was uploaded. Refuse what is of the wrong kind. */
  readonly use: (uploaded: UploadedFile) => Promise<unknown>
}

/** What is said of a file before its first byte. */
export type AnnouncedFile = Pick<UploadRequest, 'lengthBytes' | 'sha256'>

/** Options of {@link uploadRoutes}. */
export interface UploadRoutesOptions {
  readonly uploads: Uploads
  /** The route of the uploads of an object, `…/{id}/uploads/`, and of one of them. */
  readonly routes: { readonly all: string; readonly one: string }
  /** The right to upload, and the one to see which uploads are not finished. */
  readonly rights: { readonly send: RightName; readonly read: RightName }
  readonly tags: string[]
  /** What is uploaded, such as "an image". */
  readonly what: string
  readonly targetOf: (request: ToObject) => Promise<UploadTarget>
}

/** A request for the uploads to an object. */
export type ToObject = FastifyRequest<{ Params: { id: string } }>
type OfUpload = FastifyRequest<{ Params: { id: string; upload: string } }>

/**
 * Add the routes of resumable uploads to an object. Source: tus resumable upload protocol 1.0.0, with its extensions creation, termination and expiration, so that any
 * tus client can upload. The SHA-256 is announced as the metadata `sha256`, in hexadecimal digits. Besides the protocol, the unfinished uploads are listed, so that a
 * client which was killed finds its own again.
 */
export function uploadRoutes(app: FastifyInstance, options: UploadRoutesOptions): void {
  void app.register((scope, _options, done) => {
    // Only these routes accept such bodies. They are read as they come.
    scope.addContentTypeParser(tusMediaType, (_request, body, parsed) => parsed(null, body))
    scope.addHook('onSend', (_request, reply, payload, next) => {
      void reply.header('tus-resumable', tusVersion)
      next(null, payload)
    })
    addRoutes(scope, options)
    done()
  })
}

function addRoutes(
  app: FastifyInstance,
  { uploads, routes, rights, tags, what, targetOf }: UploadRoutesOptions,
): void {
  const show = ({ params }: ToObject, upload: UploadState): Upload => ({
    uri: path(routes.one, { id: params.id, upload: upload.id }),
    id: upload.id,
    length_bytes: upload.lengthBytes,
    offset_bytes: upload.offsetBytes,
    sha256: upload.sha256,
    created_on: new Date(upload.createdMs).toISOString(),
    expires_on: new Date(upload.expiresMs).toISOString(),
  })
  const find = async (request: OfUpload): Promise<UploadState> =>
    uploads.find((await targetOf(request)).target, request.params.upload)

  app.get(
    pattern(routes.all),
    {
      config: { right: rights.read },
      schema: {
        tags,
        summary: `List unfinished uploads of ${what}`,
        response: { 200: Type.Array(Upload) },
      },
    },
    async (request: ToObject) =>
      uploads.list((await targetOf(request)).target).map((each) => show(request, each)),
  )
  app.post(
    pattern(routes.all),
    {
      config: { right: rights.send },
      schema: {
        tags,
        summary: `Begin a resumable upload of ${what} (tus 1.0)`,
        response: { 201: Upload },
      },
    },
    async (request: ToObject, reply) => {
      requireProtocol(request)
      const { target, owner, ownerInWords, maxBytes, requireRoom } = await targetOf(request)
      const lengthBytes = readLength(request, 'upload-length', maxBytes)
      const file = { lengthBytes, sha256: readSha256(request) }
      const begun = await uploads.begin({
        target,
        owner,
        ownerInWords,
        ...file,
        isResumable: true,
        requireRoom: (promised) => requireRoom(file, promised),
      })
      const upload = show(request, begun)
      tellState(reply, begun)
      void reply.code(201).header('location', upload.uri)
      return upload
    },
  )
  app.get(
    pattern(routes.one),
    {
      config: { right: rights.read },
      schema: {
        tags,
        summary: 'Read an unfinished upload; HEAD tells its offset',
        response: { 200: Upload },
      },
    },
    async (request: OfUpload, reply) => {
      const { id, isFinished } = await find(request)
      // Its sender has come back, while the server may still wait for more over the sender's earlier connection.
      if (request.method === 'HEAD' && !isFinished) await uploads.interrupt(id)
      const upload = await find(request)
      tellState(reply, upload)
      void reply.header('cache-control', 'no-store')
      return show(request, upload)
    },
  )
  app.patch(
    pattern(routes.one),
    {
      config: { right: rights.send },
      schema: { tags, summary: 'Send bytes from its offset on', consumes: [tusMediaType] },
    },
    async (request: OfUpload, reply) => {
      requireProtocol(request)
      const { use } = await targetOf(request)
      const { id } = await find(request)
      const sent = await uploads.append(id, readOffset(request), bodyOf(request))
      // The last part may take long, and its sender may have lost the right meanwhile.
      if (sent.offsetBytes === sent.lengthBytes)
        await uploads.finish(id, async (uploaded) => {
          await request.permitAgain()
          await use(uploaded)
        })
      tellState(reply, sent)
      return reply.code(204).send()
    },
  )
  app.delete(
    pattern(routes.one),
    { config: { right: rights.send }, schema: { tags, summary: 'Cancel an upload' } },
    async (request: OfUpload, reply) => {
      const { id } = await find(request)
      await uploads.cancel(id)
      return reply.code(204).send()
    },
  )
}

function tellState(reply: FastifyReply, upload: UploadState): void {
  void reply
    .header('upload-offset', upload.offsetBytes)
    .header('upload-length', upload.lengthBytes)
    .header('upload-expires', new Date(upload.expiresMs).toUTCString())
}

/** @throws {@link LabError} LAB_UPLOAD_PROTOCOL. */
function requireProtocol({ headers }: FastifyRequest): void {
  const found = headers['tus-resumable']
  if (found === tusVersion) return
  throw new LabError('LAB_UPLOAD_PROTOCOL', {
    found: typeof found === 'string' ? found.slice(0, 40) : 'none',
    supported: tusVersion,
  })
}

/**
 * Read the length that a sender announces, in bytes.
 *
 * @throws {@link LabError} LAB_UPLOAD_NO_LENGTH, LAB_REQUEST_TOO_LARGE.
 */
export function readLength(
  { headers }: FastifyRequest,
  header: 'upload-length' | 'content-length',
  maxBytes: number,
): number {
  const text = headers[header]
  const length = typeof text === 'string' && /^\d{1,15}$/u.test(text) ? Number(text) : 0
  if (length === 0) throw new LabError('LAB_UPLOAD_NO_LENGTH', { header })
  if (length > maxBytes) throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxBytes })
  return length
}

function readOffset({ headers }: FastifyRequest): number {
  const text = headers['upload-offset']
  if (typeof text === 'string' && /^\d{1,15}$/u.test(text)) return Number(text)
  throw invalid('header Upload-Offset', 'must be a number of bytes')
}

/** Read the announced SHA-256 from the metadata, which are `name base64` separated by commas. Source: tus 1.0.0, Upload-Metadata. */
function readSha256({ headers }: FastifyRequest): string | null {
  const text = headers['upload-metadata']
  if (typeof text !== 'string') return null
  const pair = text.split(',').find((each) => /^\s*sha256(\s|$)/u.test(each))
  if (pair === undefined) return null
  const value = Buffer.from(pair.trim().split(/\s+/u)[1] ?? '', 'base64').toString()
  if (/^[0-9a-f]{64}$/u.test(value)) return value
  throw invalid(
    'header Upload-Metadata',
    'sha256 must be 64 lower-case hexadecimal digits, in base64',
  )
}

function bodyOf({ body, raw }: FastifyRequest): Readable {
  // Without a body there is nothing to parse. The connection's own stream is empty then.
  return (body as Readable | undefined) ?? raw
}

function invalid(pointer: string, message: string): LabError {
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer, message }] })
}
