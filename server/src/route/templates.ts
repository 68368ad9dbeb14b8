import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createQueue,
  LabError,
  routes,
  Template,
  TemplateCreate,
  TemplatePatch,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import type { Readable } from 'node:stream'
import { chooseGroup } from '../access/choose-group.ts'
import { permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
import { endWhenStalled } from '../http/streams.ts'
import { listTemplates } from '../registry/read/lists.ts'
import { receiveImage, removeUnusedImages } from '../registry/image.ts'
import {
  createTemplate,
  deleteTemplate,
  patchTemplate,
  readImages,
  readTemplate,
  setTemplateImage,
  usesTemplate,
} from '../registry/write/templates.ts'
import { imagesFull, maxGroupImagesBytes, readImageRoom } from '../registry/write/template-rules.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['templates']
/** The largest image, in bytes. */
const maxImageBytes = 2 * 1024 ** 3

/** Routes of templates, which are root file systems for slivers. */
export function templateRoutes(app: FastifyInstance, { registry, imageDir }: RouteContext): void {
  const idOf = (request: ById): number => numericId(request, 'template')
  // These changes run one at a time, so that a new image is not removed as unused before its template names it.
  const inTurn = createQueue()
  /** The groups that are uploading an image. One at a time, they cannot fill the disk beyond what they may have. */
  const uploading = new Set<number>()
  async function takeRoom(
    template: Template,
    sizeBytes: number,
  ): Promise<Disposable & { readonly bytes: number }> {
    const groupId = template.group?.id ?? null
    if (groupId === null) return { bytes: maxImageBytes, [Symbol.dispose]: () => undefined }
    const group = (await registry.groupContact(groupId))?.name ?? String(groupId)
    if (uploading.has(groupId)) throw new LabError('LAB_TEMPLATE_UPLOADING', { group })
    uploading.add(groupId)
    const end = (): void => void uploading.delete(groupId)
    try {
      const left = await readImageRoom(registry.db, template)
      if (left === 0 || sizeBytes > left) throw imagesFull(group, maxGroupImagesBytes - left)
      return { bytes: Math.min(maxImageBytes, left), [Symbol.dispose]: end }
    } catch (error) {
      end()
      throw error
    }
  }
  /** Return the asking node when a sliver on it is made of a template. */
  async function findItsNode(
    { nodeId }: Principal,
    { id }: Template,
  ): Promise<{ nodeId?: number }> {
    if (nodeId === null) return {}
    const isUsed = await usesTemplate(registry.db, { nodeId, templateId: id })
    return isUsed ? { nodeId } : {}
  }
  listRoute(app, {
    url: routes.templates,
    right: 'read the testbed',
    tags,
    summary: 'List templates',
    source: listTemplates(registry),
  })
  createRoute(app, {
    url: routes.templates,
    right: 'make a template',
    tags,
    summary: 'Make a template',
    body: TemplateCreate,
    schema: Template,
    create: async ({ principal, body: { group, ...body } }) => {
      const isOperators = principal.role === 'operator' && group === undefined
      const groupId = isOperators
        ? null
        : await chooseGroup(registry.db, principal, {
            right: 'make a template',
            needs: 'slices',
            named: group?.id,
          })
      return createTemplate(registry, groupId, body)
    },
  })
  readRoute(app, {
    url: pattern(routes.template),
    right: 'read the testbed',
    tags,
    summary: 'Read a template',
    schema: Template,
    read: (request) => readTemplate(registry, idOf(request)),
  })
  changeRoutes(app, {
    url: pattern(routes.template),
    right: 'change a template',
    tags,
    summary: 'Change a template',
    body: TemplatePatch,
    schema: Template,
    change: (request) => patchTemplate(registry, idOf(request), request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    url: pattern(routes.template),
    right: 'remove a template',
    tags,
    summary: 'Remove a template that no slice uses',
    remove: (request) =>
      inTurn(async () => {
        await deleteTemplate(registry, idOf(request), ifMatchOf(request))
        await removeUnusedImages(imageDir, await readImages(registry))
      }),
  })
  // An image is streamed to disk. It has a scope of its own, because only this route accepts such bodies.
  void app.register((scope, _options, done) => {
    const types = ['application/gzip', 'application/x-gzip', 'application/octet-stream']
    scope.addContentTypeParser(types, (_request, body, parsed) => parsed(null, body))
    scope.put<{ Params: { id: string }; Body: Readable }>(
      pattern(routes.templateUploadImage),
      {
        bodyLimit: maxImageBytes,
        config: { right: 'upload a template’s image' },
        // Refuse it before the body is read.
        onRequest: (request, _reply, next) => {
          if (Number(request.headers['content-length'] ?? 0) > maxImageBytes)
            throw new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: maxImageBytes })
          next()
        },
        schema: {
          tags,
          summary: 'Upload its image, a .tar.gz; the header x-sha256 is checked when it is there',
          consumes: ['application/gzip'],
          response: { 200: Template },
        },
      },
      async (request) => {
        const template = await readTemplate(registry, idOf(request))
        requirePublisher(template, request.principal)
        const expected = request.headers['x-sha256']
        using room = await takeRoom(template, Number(request.headers['content-length'] ?? 0))
        await using image = await receiveImage(imageDir, request.body, {
          template: template.name,
          expectedSha256: typeof expected === 'string' ? expected : null,
          maxBytes: room.bytes,
        })
        return await inTurn(async () => {
          // A large image takes long, and its sender may have lost the right meanwhile.
          await request.permitAgain()
          await image.keep()
          const changed = await setTemplateImage(registry, template.id, image, (locked) =>
            requirePublisher(locked, request.principal),
          )
          await removeUnusedImages(imageDir, await readImages(registry))
          return changed
        })
      },
    )
    done()
  })
  app.get(
    pattern(routes.templateImage),
    {
      config: { right: 'read the testbed' },
      schema: { tags, summary: 'Its image', produces: ['application/gzip'] },
    },
    async (request: ById, reply) => {
      const template = await readTemplate(registry, idOf(request))
      const { name, group, image_sha256: sha256 } = template
      if (!template.is_public)
        permit(request.principal, 'read a template’s image', {
          owner: {
            groupId: group?.id ?? null,
            ...(await findItsNode(request.principal, template)),
          },
          group: await registry.groupContact(group?.id ?? null),
        })
      if (sha256 === null) throw new LabError('LAB_TEMPLATE_NO_IMAGE', { template: name })
      const file = join(imageDir, `${sha256}.tar.gz`)
      const { size } = await stat(file)
      void reply.type('application/gzip').header('etag', `"${sha256}"`)
      endWhenStalled(reply.raw)
      return reply.header('content-length', size).send(createReadStream(file))
    },
  )
}

/**
 * Require that somebody may replace the image of a template. An operator who makes a template public vouches for the image that it has then, so only operators
 * replace it: slices of other groups would run it.
 *
 * @throws {@link LabError} LAB_AUTH_FORBIDDEN.
 */
function requirePublisher({ is_public: isPublic }: Template, principal: Principal): void {
  if (!isPublic || findRefusal('make a template public', principal, {}) === null) return
  throw new LabError('LAB_AUTH_FORBIDDEN', {
    action: 'replace the image of a public template',
    role: principal.role,
    needs: 'the token of an operator',
    next: 'make another template, and ask an operator to make that public',
  })
}
