import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  enrollmentStatement,
  parseEnrollmentToken,
  path,
  routes,
  type EnrollmentAnswer,
  type EnrollmentToken,
  type Group,
  type NodeReport,
  type Node,
  type SliverReport,
  type Template,
  type TokenCreated,
} from '@community-lab/contract'
import { bootstrap } from '../../../../server/src/registry/write/tokens.ts'
import type { PostgresKind } from '../../../support/postgres.ts'
import {
  startDatabaseServer,
  startWorld,
  type DatabaseServer,
  type World,
  type WorldOptions,
} from './world.ts'

/** A world with people, nodes in production and a template. */
export interface TestbedWorld extends World {
  readonly operator: string
  /** A researcher of group `red`. */
  readonly red: string
  /** A researcher of group `blue`. */
  readonly blue: string
  /** Tokens of the nodes n1, n2 … (ids 1, 2 …). */
  readonly nodes: readonly string[]
  readonly template: Template
  /** A node reports, as its agent does. Returns the report's ETag. */
  report(nodeId: number, changes?: Partial<NodeReport>): Promise<string>
}

/** A body of an image, small but gzip. */
export const image = gzipSync('a root file system')
/** The SHA-256 of that. */
export const imageSha256 = createHash('sha256').update(image).digest('hex')

/** A node's key of the management network. */
export interface TincKey {
  /** PKCS #1 PEM. */
  readonly pubkey: string
  readonly privateKey: KeyObject
}

/** Make a node's key. */
export function makeTincKey(): TincKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { pubkey: publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(), privateKey }
}

const tincKey = makeTincKey()
/** The key that nodes are enrolled with unless a test says otherwise. */
export const tincPubkey = tincKey.pubkey

/** Ask to be enrolled, as an agent does. */
export function askToEnroll(world: World, secret: string, key: TincKey = tincKey) {
  const { certificateSha256 } = world.context.contact
  const statement = enrollmentStatement({ secret, certificateSha256, tincPubkey: key.pubkey })
  const proof = sign('sha256', Buffer.from(statement), key.privateKey).toString('base64')
  const body = { tinc_pubkey: key.pubkey, arch: 'x86_64', proof }
  return world.ask(secret, 'POST', routes.enroll, { body })
}

/** What an agent says of a healthy node with 1 GiB of memory. */
export function aReport(changes: Partial<NodeReport> = {}): NodeReport {
  return {
    state: 'production',
    soft_version: '0.1.0',
    arch: 'x86_64',
    boot_sn: 0,
    public_prefix: '2001:db8:1::/64',
    capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
    resources: [
      { name: 'memory', total: 1024, max_req: 512, dflt_req: 64 },
      { name: 'disk', total: 4096, max_req: 1024, dflt_req: 128 },
      { name: 'cpu', total: 200, max_req: 200, dflt_req: 100 },
      { name: 'processes', total: 1024, max_req: 512, dflt_req: 128 },
    ],
    errors: [],
    slivers: [],
    ...changes,
  }
}

/** What an agent says of a sliver that runs. */
export function aSliverReport(id: string, changes: Partial<SliverReport> = {}): SliverReport {
  return {
    id,
    nr: 1,
    state: 'started',
    slice_instance_sn: 0,
    instance_sn: 0,
    interfaces: [],
    ssh_host_key: 'ssh-ed25519 AAAA',
    started_on: '2026-05-04T12:00:00.000Z',
    errors: [],
    ...changes,
  }
}

/** Make a token as an operator does. */
export async function makeToken(world: World, operator: string, body: object): Promise<string> {
  const response = await world.ask(operator, 'POST', routes.tokens, { body })
  return response.json<TokenCreated>().secret
}

/** Make a user, who makes a group of the same name, which an operator allows slices. Returns the user's token. */
export async function makeResearcher(
  world: World,
  operator: string,
  name: string,
): Promise<string> {
  await world.ask(operator, 'POST', routes.users, { body: { name } })
  const token = await makeToken(world, operator, { name, user: name })
  const group = await world.ask(token, 'POST', routes.groups, { body: { name } })
  const allow = { allow_slices: true }
  await world.ask(operator, 'PATCH', group.json<Group>().uri, { body: allow })
  return token
}

/** Enrol a node through the API. Returns its token. */
export async function enroll(world: World, operator: string, id: number): Promise<string> {
  const made = await world.ask(operator, 'POST', path(routes.nodeEnrollmentToken, { id }))
  const { secret } = parseEnrollmentToken(made.json<EnrollmentToken>().token)
  const answer = await askToEnroll(world, secret)
  return answer.json<EnrollmentAnswer>().token
}

/** The people and nodes of a testbed. */
interface Seed {
  readonly databaseUrl: string
  readonly dataDir: string
  readonly operator: string
  readonly red: string
  readonly blue: string
  readonly nodes: readonly string[]
  readonly template: Template
}

/** A database server for worlds that all begin alike: filled once, then copied. */
export interface Testbeds extends AsyncDisposable {
  readonly server: DatabaseServer
  /** A testbed of its own: n1 and n2 in production, a template, three people. */
  start(options?: Omit<WorldOptions, 'databaseUrl' | 'copyOf'>): Promise<TestbedWorld>
}

/** Start a PostgreSQL and fill a first testbed, all through its API but for the first operator. */
export async function startTestbeds(kind: PostgresKind): Promise<Testbeds> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startDatabaseServer(kind))
  const dataDir = await mkdtemp(join(tmpdir(), 'cl-test-seed-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  const seed = await makeSeed(server, dataDir)
  const held = stack.move()
  return {
    server,
    async start(options = {}) {
      const databaseUrl = await server.create(seed.databaseUrl)
      const world = await startWorld({ ...options, databaseUrl, copyOf: dataDir })
      const { operator, red, blue, nodes, template } = seed
      return { ...world, operator, red, blue, nodes, template, report: reporter(world, nodes) }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function makeSeed(server: DatabaseServer, dataDir: string): Promise<Seed> {
  const databaseUrl = await server.create()
  await using world = await startWorld({ databaseUrl })
  const made = Promise.withResolvers<string>()
  await bootstrap(world.context.registry, (secret) => {
    made.resolve(secret)
    return Promise.resolve()
  })
  const operator = await made.promise
  const researcher = (name: string) => makeResearcher(world, operator, name)
  const [red, blue] = [await researcher('red'), await researcher('blue')]
  const nodes: string[] = []
  for (const name of ['n1', 'n2']) {
    const node = await world.ask(operator, 'POST', routes.nodes, { body: { name } })
    const { id, uri } = node.json<Node>()
    nodes.push(await enroll(world, operator, id))
    await world.ask(operator, 'PATCH', uri, { body: { set_state: 'production' } })
    await reporter(world, nodes)(id)
  }
  const body = { name: 'tiny', node_archs: ['x86_64'] }
  const template = await world.ask(operator, 'POST', routes.templates, { body })
  const upload = path(routes.templateUploadImage, { id: template.json<Template>().id })
  const headers = { 'content-type': 'application/gzip' }
  const uploaded = await world.ask(operator, 'PUT', upload, { body: image, headers })
  for (const folder of ['tls', 'tinc', 'images'])
    await cp(join(world.dataDir, folder), join(dataDir, folder), { recursive: true })
  return { databaseUrl, dataDir, operator, red, blue, nodes, template: uploaded.json() }
}

function reporter(world: World, nodes: readonly string[]): TestbedWorld['report'] {
  return async (nodeId, changes = {}) => {
    const url = path(routes.nodeState, { id: nodeId })
    const token = nodes[nodeId - 1] ?? null
    const response = await world.ask(token, 'PUT', url, { body: aReport(changes) })
    if (response.statusCode !== 204) throw new Error(response.body)
    return String(response.headers.etag)
  }
}
