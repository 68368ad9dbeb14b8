import { routes } from '@community-lab/contract'
import type { RightName } from '../../../../server/src/domain/rights.ts'
import type { Method } from '../world/world.ts'
import { aReport, image } from '../world/testbed.ts'
import type { Spare } from './parties.ts'

/** A request that is tried as each party. What it asks about belongs to group `red`, node n1 or the user `member`. */
export interface Case {
  readonly method: Method
  readonly route: string
  /** The id of what it asks about, which may change without harm to the other requests. */
  readonly id?: string | number
  /** The version of the template in its path. */
  readonly version?: number
  /** The upload in its path. */
  readonly upload?: string
  /** It asks about an object of its own, made for it. */
  readonly spare?: Spare
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Rights that its body needs besides the one of its route. */
  readonly also?: readonly RightName[]
}

const red = { id: 2 }
const gzip = { 'content-type': 'application/gzip' }
const key = { auth_token: 'ssh-ed25519 AAAA me' }
const both = ['PATCH', 'PUT'] as const
const aRun = { name: 'asked', programs: [{ on: [1], argv: ['true'] }] }

const reads: readonly Case[] = [
  routes.base,
  routes.nodes,
  routes.templates,
  routes.slices,
  routes.slivers,
  routes.runs,
  routes.servers,
  routes.islands,
  routes.hosts,
  routes.baseImages,
  routes.groups,
  routes.agreements,
  routes.requests,
  routes.audit,
  routes.journal,
  routes.health,
  routes.metrics,
  routes.nodeMetrics,
  routes.measurements,
  routes.healthDays,
  routes.healthRecorded,
  routes.users,
  routes.whoami,
  routes.tokens,
  routes.mail,
].map((route) => ({ method: 'GET', route }))

const readsOfOne: readonly Case[] = [
  routes.node,
  routes.template,
  routes.slice,
  routes.server,
  routes.island,
  routes.host,
  routes.group,
  routes.agreement,
  routes.auditEntry,
  routes.journalEntry,
  routes.user,
  routes.nodeState,
  routes.nodeHistory,
  routes.nodeAvailability,
  routes.nodeTarget,
  routes.nodeStream,
].map((route) => ({ method: 'GET', route, id: 1 }))

const people: readonly Case[] = [
  ...both.flatMap((method): Case[] => [
    { method, route: routes.user, spare: 'member', body: { description: 'x' } },
    {
      method,
      route: routes.user,
      spare: 'member',
      body: { name: 'member' },
      also: ['name a user'],
    },
    {
      method,
      route: routes.user,
      spare: 'member',
      body: { is_active: true },
      also: ['disable a user'],
    },
    {
      method,
      route: routes.user,
      spare: 'member',
      body: { is_superuser: false },
      also: ['make an operator'],
    },
    { method, route: routes.group, id: 2, body: { description: 'x' } },
    {
      method,
      route: routes.group,
      id: 2,
      body: { allow_nodes: true },
      also: ['allow a group nodes'],
    },
    {
      method,
      route: routes.group,
      id: 2,
      body: { allow_slices: true },
      also: ['allow a group slices'],
    },
    {
      method,
      route: routes.group,
      id: 2,
      body: { quotas: { slivers: 1000 } },
      also: ['set a group’s quotas'],
    },
  ]),
  { method: 'POST', route: routes.users, body: { name: 'somebody' } },
  { method: 'DELETE', route: routes.user, spare: 'user' },
  { method: 'POST', route: routes.getAuthToken, body: { username: 'x', password: 'x' } },
  { method: 'POST', route: routes.logIn, body: { username: 'x', password: 'x' } },
  { method: 'POST', route: routes.logOut },
  { method: 'POST', route: routes.userInvite, spare: 'member' },
  {
    method: 'POST',
    route: routes.redeemInvitation,
    body: { secret: 'x'.repeat(20), password: 'x' },
  },
  { method: 'POST', route: routes.confirmEmail, body: { secret: 'x'.repeat(20) } },
  { method: 'POST', route: routes.resetPassword, body: { username: 'x' } },
  { method: 'POST', route: routes.userChangeAuth, spare: 'member', body: { email: null } },
  { method: 'POST', route: routes.mailTest },
  { method: 'POST', route: routes.addAuthToken, body: key },
  { method: 'POST', route: routes.removeAuthToken, body: key },
  {
    method: 'POST',
    route: routes.removeAuthToken,
    body: { ...key, user: 2 },
    also: ['take away another’s SSH key'],
  },
  { method: 'POST', route: routes.tokens, body: { name: 't' } },
  {
    method: 'POST',
    route: routes.tokens,
    body: { name: 't', user: 'red' },
    also: ['make a token for another'],
  },
  {
    method: 'POST',
    route: routes.tokens,
    body: { name: 't', role: 'operator' },
    also: ['make an operator’s token'],
  },
  { method: 'DELETE', route: routes.token, spare: 'token' },
  { method: 'POST', route: routes.groups, body: { name: 'new', agreement: 1 } },
  { method: 'DELETE', route: routes.group, spare: 'group' },
  { method: 'POST', route: routes.groupLeave, spare: 'group' },
  { method: 'POST', route: routes.groupAcceptAgreement, id: 2, body: { agreement: 1 } },
  { method: 'POST', route: routes.agreements, body: {} },
  { method: 'GET', route: routes.request, spare: 'request' },
  { method: 'DELETE', route: routes.request, spare: 'request' },
  { method: 'POST', route: routes.requestAccept, spare: 'request', body: {} },
  { method: 'POST', route: routes.requestRefuse, spare: 'request' },
  {
    method: 'POST',
    route: routes.requestAccept,
    spare: 'request for nodes',
    body: {},
    also: ['allow a group nodes'],
  },
  { method: 'POST', route: routes.requests, body: { kind: 'join', group: red } },
  {
    method: 'POST',
    route: routes.requests,
    body: { kind: 'allow_slices', group: red },
    also: ['ask for nodes or slices'],
  },
]

const things: readonly Case[] = [
  { method: 'POST', route: routes.nodes, body: { name: 'n9', group: red } },
  ...both.map((method): Case => ({
    method,
    route: routes.node,
    id: 1,
    body: { description: 'x' },
  })),
  { method: 'POST', route: routes.servers, body: { name: 'second' } },
  { method: 'DELETE', route: routes.server, spare: 'server' },
  { method: 'POST', route: routes.islands, body: { name: 'valley' } },
  { method: 'DELETE', route: routes.island, spare: 'island' },
  { method: 'POST', route: routes.hosts, body: { name: 'laptop' } },
  { method: 'DELETE', route: routes.host, spare: 'host' },
  ...both.flatMap((method): Case[] => [
    { method, route: routes.server, spare: 'server', body: { description: 'x' } },
    { method, route: routes.island, spare: 'island', body: { description: 'x' } },
    { method, route: routes.host, spare: 'host', body: { description: 'x' } },
    {
      method,
      route: routes.host,
      spare: 'host',
      body: { owner: { id: 1 } },
      also: ['give a host to another'],
    },
  ]),
  { method: 'DELETE', route: routes.node, spare: 'node' },
  { method: 'POST', route: routes.nodeReboot, id: 1 },
  { method: 'POST', route: routes.nodeEnrollmentToken, id: 1 },
  { method: 'POST', route: routes.nodeRevoke, spare: 'node' },
  { method: 'PUT', route: routes.nodeState, id: 1, body: aReport() },

  { method: 'POST', route: routes.slices, body: { name: 'other', group: red } },
  {
    method: 'PUT',
    route: routes.sliceEnsure,
    body: { name: 'mine', group: 'red', template: 'tiny', nodes: ['n1', 'n2'] },
  },
  ...both.flatMap((method): Case[] => [
    { method, route: routes.slice, id: 1, body: { description: 'x' } },
    { method, route: routes.sliver, id: '1@1', body: { description: 'x' } },
    { method, route: routes.template, spare: 'template', body: { description: 'x' } },
    {
      method,
      route: routes.template,
      spare: 'template',
      body: { is_public: true },
      also: ['make a template public'],
    },
  ]),
  { method: 'DELETE', route: routes.slice, spare: 'slice' },
  { method: 'POST', route: routes.sliceRenew, id: 1 },
  { method: 'POST', route: routes.sliceReset, id: 1 },
  { method: 'GET', route: routes.sliver, id: '1@1' },
  { method: 'GET', route: routes.sliverState, id: '1@1' },
  { method: 'GET', route: routes.sliverHistory, id: '1@1' },
  { method: 'GET', route: routes.sliverAvailability, id: '1@1' },
  { method: 'GET', route: routes.sliverSsh, id: '1@1' },
  { method: 'POST', route: routes.slivers, body: { slice: { id: 1 }, node: { id: 2 } } },
  { method: 'DELETE', route: routes.sliver, spare: 'sliver' },
  { method: 'POST', route: routes.sliverUpdate, id: '1@1' },

  {
    method: 'POST',
    route: routes.templates,
    body: { name: 'big', node_archs: ['x86_64'], group: red },
  },
  {
    method: 'POST',
    route: routes.templates,
    body: { name: 'all', node_archs: ['x86_64'], group: red, is_public: true },
    also: ['make a template public'],
  },
  { method: 'DELETE', route: routes.template, spare: 'template' },
  {
    method: 'POST',
    route: routes.templateUploadImage,
    spare: 'template',
    body: {},
    headers: { 'content-type': 'application/json' },
  },
  { method: 'GET', route: routes.templateUploads, spare: 'template' },
  {
    method: 'POST',
    route: routes.templateUploads,
    spare: 'template',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '1' },
  },
  { method: 'GET', route: routes.templateUpload, spare: 'template', upload: 'none' },
  {
    method: 'PATCH',
    route: routes.templateUpload,
    spare: 'template',
    upload: 'none',
    body: Buffer.from('x'),
    headers: { 'content-type': 'application/offset+octet-stream', 'tus-resumable': '1.0.0' },
  },
  { method: 'DELETE', route: routes.templateUpload, spare: 'template', upload: 'none' },
  { method: 'GET', route: routes.templateVersion, id: 1, version: 1 },
  { method: 'GET', route: routes.templateImage, id: 1, version: 1 },
  {
    method: 'PATCH',
    route: routes.templateVersion,
    id: 1,
    version: 1,
    body: { is_public: true },
  },
  { method: 'DELETE', route: routes.templateVersion, spare: 'template', version: 1 },
  {
    method: 'PUT',
    route: routes.templateUploadImage,
    spare: 'template',
    body: image,
    headers: gzip,
  },
]

const runs: readonly Case[] = [
  { method: 'GET', route: routes.sliceRuns, id: 1 },
  { method: 'POST', route: routes.sliceRuns, id: 1, body: aRun },
  { method: 'GET', route: routes.run, spare: 'run' },
  { method: 'GET', route: routes.runPrograms, spare: 'run' },
  { method: 'POST', route: routes.runCancel, spare: 'run' },
]

const data: readonly Case[] = [
  { method: 'GET', route: routes.groupData, id: 2 },
  { method: 'PUT', route: routes.groupData, id: 2, body: image, headers: gzip },
  { method: 'GET', route: routes.groupDataUploads, id: 2 },
  {
    method: 'POST',
    route: routes.groupDataUploads,
    id: 2,
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '1' },
  },
  { method: 'GET', route: routes.groupDataUpload, id: 2, upload: 'none' },
  {
    method: 'PATCH',
    route: routes.groupDataUpload,
    id: 2,
    upload: 'none',
    body: Buffer.from('x'),
    headers: { 'content-type': 'application/offset+octet-stream', 'tus-resumable': '1.0.0' },
  },
  { method: 'DELETE', route: routes.groupDataUpload, id: 2, upload: 'none' },
  { method: 'PUT', route: routes.sliceUploadData, id: 1, body: image, headers: gzip },
  { method: 'PUT', route: routes.sliverUploadData, id: '1@1', body: image, headers: gzip },
]

/** Every operation of the API but streams and files of samples, events and enrolment, which are tested where they are made. */
export const cases: readonly Case[] = [
  ...reads,
  ...readsOfOne,
  ...people,
  ...runs,
  ...data,
  ...things,
]
