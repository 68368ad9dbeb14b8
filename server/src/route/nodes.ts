import {
  EnrollmentAnswer,
  EnrollmentRequest,
  EnrollmentToken,
  LabError,
  Node,
  NodeCreate,
  NodePatch,
  NodeReport,
  NodeTarget,
  routes,
  serverManagementAddress,
} from '@community-lab/contract'
import '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { chooseGroup } from '../access/choose-group.ts'
import { actingUser } from '../access/permit.ts'
import { readReport } from '../domain/report-reading.ts'
import { listNodes } from '../registry/read/lists.ts'
import { enrollNode, issueEnrollmentToken } from '../registry/write/enrollment.ts'
import {
  createNode,
  deleteNode,
  patchNode,
  readNode,
  rebootNode,
  revokeNode,
} from '../registry/write/nodes.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['nodes']

/** Nodes, for their readers and their admins. */
export function nodeRoutes(app: FastifyInstance, { registry, contact }: RouteContext): void {
  const idOf = (request: ById): number => numericId(request, 'node')

  listRoute(app, {
    url: routes.nodes,
    right: 'read the testbed',
    tags,
    summary: 'List nodes; `room={"memory":256}`: those with room for one more such sliver',
    source: listNodes(registry),
  })
  createRoute(app, {
    url: routes.nodes,
    right: 'register a node',
    tags,
    summary: 'Register a node',
    body: NodeCreate,
    schema: Node,
    create: async ({ principal, body: { group, ...body } }) => {
      const groupId = await chooseGroup(registry.db, principal, {
        right: 'register a node',
        needs: 'nodes',
        named: group?.id,
      })
      return createNode(registry, groupId, body)
    },
  })
  readRoute(app, {
    url: pattern(routes.node),
    right: 'read the testbed',
    tags,
    summary: 'Read a node',
    schema: Node,
    read: (request) => readNode(registry, idOf(request)),
  })
  changeRoutes(app, {
    url: pattern(routes.node),
    right: 'change a node',
    tags,
    summary: 'Change a node',
    body: NodePatch,
    schema: Node,
    change: (request) => patchNode(registry, idOf(request), request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    url: pattern(routes.node),
    right: 'remove a node',
    tags,
    summary: 'Remove a node, its slivers and its tokens',
    remove: (request) => deleteNode(registry, idOf(request), ifMatchOf(request)),
  })
  app.post(
    pattern(routes.nodeReboot),
    {
      config: { right: 'reboot a node' },
      schema: { tags, summary: 'Ask a node to restart, once', response: { 202: Node } },
    },
    (request: ById, reply) => {
      void reply.code(202)
      return rebootNode(registry, idOf(request))
    },
  )
  app.post(
    pattern(routes.nodeEnrollmentToken),
    {
      config: { right: 'make an enrolment token' },
      schema: {
        tags,
        summary: "Make a node's one-time enrolment token; the one before is revoked",
        response: { 201: EnrollmentToken },
      },
    },
    (request: ById, reply) => {
      void reply.code(201)
      const userId = actingUser(request.principal)
      return issueEnrollmentToken(registry, { nodeId: idOf(request), userId }, contact)
    },
  )
  app.post(
    pattern(routes.nodeRevoke),
    {
      config: { right: 'revoke a node' },
      schema: { tags, summary: "Revoke a node's keys and tokens", response: { 200: Node } },
    },
    (request: ById) => revokeNode(registry, idOf(request)),
  )
}

/** The requests of nodes themselves: enrolment, target, report. */
export function agentRoutes(app: FastifyInstance, context: RouteContext): void {
  const { registry, mgmtPrefix } = context
  const own = ['node agents']
  app.post<{ Body: EnrollmentRequest }>(
    routes.enroll,
    {
      // Nobody can guess 256 bits. This only limits the load of attempts.
      config: { right: 'enrol a node', rateLimit: { max: 30, timeWindow: 60_000 } },
      schema: {
        tags: own,
        summary: 'Enrol a node with its one-time secret as bearer',
        body: EnrollmentRequest,
        response: { 200: EnrollmentAnswer },
      },
    },
    async (request) => {
      const secret = /^Bearer (cle_[\w-]+)$/u.exec(request.headers.authorization ?? '')?.[1]
      if (secret === undefined)
        throw new LabError('LAB_ENROLLMENT_REFUSED', { reason: 'there is none in the request' })
      const { certificateSha256 } = context.contact
      const enrolled = await enrollNode(registry, { secret, certificateSha256 }, request.body)
      const { node, token } = enrolled
      // tincd lets unknown hosts wait: a node that connects before its host file is there would be delayed by 10 s.
      await app.management.updated()
      const address = serverManagementAddress(mgmtPrefix)
      return {
        node,
        token,
        mgmt_ipv6_prefix: mgmtPrefix,
        server: {
          url: `https://[${address}]:${context.httpsPort}`,
          certificate_sha256: certificateSha256,
          mgmt_addr: address,
          tinc: app.management.serverTincHost(),
        },
      } satisfies EnrollmentAnswer
    },
  )
  app.get(
    pattern(routes.nodeTarget),
    {
      config: { right: 'read a node’s target', byNodes: true },
      schema: { tags: own, summary: 'What is wanted of a node', response: { 200: NodeTarget } },
    },
    async (request: ById, reply) => {
      const id = numericId(request, 'node')
      await registry.noteContact(id, true)
      const asked = request.headers['if-none-match'] ?? null
      return (await registry.target(id, asked)) ?? reply.code(304).send()
    },
  )
  app.put<{ Params: { id: string }; Body: NodeReport }>(
    pattern(routes.nodeState),
    {
      config: { right: 'report a node’s state', byNodes: true },
      schema: {
        tags: own,
        summary: 'Report what a node is. What only newer agents know is ignored',
        body: NodeReport,
      },
      preValidation(request, _reply, done) {
        Object.assign(request, { body: readReport(request.body) })
        done()
      },
    },
    async (request, reply) => {
      const id = numericId(request, 'node')
      await registry.noteContact(id, true)
      const etag = await registry.takeReport(id, request.body)
      return reply.code(204).header('etag', etag).send()
    },
  )
}
