import {
  routes,
  Template,
  TemplateCreate,
  TemplatePatch,
  TemplateVersion,
  TemplateVersionPatch,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { chooseGroup } from '../access/choose-group.ts'
import { permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { readId } from '../http/id.ts'
import { sendFile } from '../http/send-file.ts'
import { listTemplates } from '../registry/read/lists.ts'
import {
  createTemplate,
  deleteTemplate,
  patchTemplate,
  readTemplate,
} from '../registry/write/templates.ts'
import {
  publishVersion,
  readVersion,
  removeVersion,
  usesVersion,
  type VersionId,
} from '../registry/write/template-versions.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { imageUploads, templateTarget } from './image-uploads.ts'
import { readRoute } from './read-route.ts'

const tags = ['templates']

/** Routes of templates, which are root file systems for slivers. */
export function templateRoutes(app: FastifyInstance, context: RouteContext): void {
  const { registry, images, uploads } = context
  const idOf = (request: ById): number => numericId(request, 'template')
  /** Return the asking node when a sliver on it is made of a version. */
  async function findItsNode(
    { nodeId }: Principal,
    version: VersionId,
  ): Promise<{ nodeId?: number }> {
    if (nodeId === null) return {}
    return (await usesVersion(registry.db, nodeId, version)) ? { nodeId } : {}
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
    remove: async (request) => {
      const id = idOf(request)
      await deleteTemplate(registry, id, ifMatchOf(request))
      // Nobody could finish or cancel them, and their group would have that much less room.
      for (const upload of uploads.list(templateTarget(id))) await uploads.cancel(upload.id)
      await images.removeUnused()
    },
  })
  app.get(
    pattern(routes.templateVersion),
    {
      config: { right: 'read the testbed' },
      schema: { tags, summary: 'Read a version', response: { 200: TemplateVersion } },
    },
    async (request: OfVersion) => (await readVersion(registry, versionOf(request))).version,
  )
  app.patch<{ Params: { id: string; version: string }; Body: TemplateVersionPatch }>(
    pattern(routes.templateVersion),
    {
      config: { right: 'make a template public' },
      schema: {
        tags,
        summary: 'Let all groups use a version, or only its own',
        body: TemplateVersionPatch,
        response: { 200: TemplateVersion },
      },
    },
    (request) =>
      publishVersion(registry, versionOf(request), {
        isPublic: request.body.is_public,
        ifMatch: ifMatchOf(request),
      }),
  )
  app.delete(
    pattern(routes.templateVersion),
    {
      config: { right: 'remove a template' },
      schema: { tags, summary: 'Remove a version that no slice uses' },
    },
    async (request: OfVersion, reply) => {
      await removeVersion(registry, versionOf(request), ifMatchOf(request))
      await images.removeUnused()
      return reply.code(204).send()
    },
  )
  imageUploads(app, context)
  app.get(
    pattern(routes.templateImage),
    {
      config: { right: 'read the testbed' },
      schema: { tags, summary: 'The image of a version', produces: ['application/gzip'] },
    },
    async (request: OfVersion, reply) => {
      const at = versionOf(request)
      const { template, version } = await readVersion(registry, at)
      const groupId = template.group?.id ?? null
      if (!version.is_public)
        permit(request.principal, 'read a template’s image', {
          owner: { groupId, ...(await findItsNode(request.principal, at)) },
          group: await registry.groupContact(groupId),
        })
      const { image_sha256: sha256 } = version
      const file = images.path(sha256)
      return sendFile(request, reply, { file, etag: sha256, type: 'application/gzip' })
    },
  )
}

type OfVersion = FastifyRequest<{ Params: { id: string; version: string } }>

function versionOf({ params }: OfVersion): VersionId {
  return { id: readId(params.id, 'template'), version: readId(params.version, 'version') }
}
