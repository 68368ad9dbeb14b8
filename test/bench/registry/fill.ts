import { gzipSync } from 'node:zlib'
import {
  path,
  routes,
  sliverId,
  type Group,
  type NodeReport,
  type SliceWithSlivers,
  type SliverReport,
  type Template,
  type TokenCreated,
} from '@community-lab/contract'
import { nodeReport, nodeSecret, type ServerProcess } from '../../support/server-process.ts'
import type { Ask } from './ask.ts'
import { addPast } from './past.ts'

/** How much is in the registry. Each slice has `sliversPerSlice` slivers, on nodes in turn. */
export const sizes = {
  nodes: 1_000,
  slices: 500,
  sliversPerSlice: 10,
  groups: 50,
  users: 200,
} as const

/** What was made. */
export interface Filled {
  /** Tokens of operators: as many as the limit of requests by token demands. */
  readonly operators: readonly string[]
  /** A token of a researcher whose group may have a slice on every node, and has none. */
  readonly researcher: string
}

const operatorTokens = 20
/** How many requests are under way at the same time. */
const atOnce = 8

/** Fill a registry by requests, as people and nodes do, with a past that is as long as the server keeps it. */
export async function fillRegistry(server: ServerProcess, ask: Ask): Promise<Filled> {
  const { operator } = server
  const operators = await Promise.all(
    Array.from({ length: operatorTokens }, (_, nr) =>
      makeToken(ask, operator, { name: `bench-${nr}`, role: 'operator' }),
    ),
  )
  const template = await makeTemplate(ask, operator)
  const people = await inTurns(sizes.groups, (nr) => makeGroup(ask, { operator, nr }))
  await inTurns(sizes.users, async (nr) => {
    const body = { name: `member-${nr}` }
    await ask(routes.users, { method: 'POST', token: operator, body })
  })
  for (const nr of [1, 2, 3])
    await ask(routes.islands, { method: 'POST', token: operator, body: { name: `island-${nr}` } })
  const slivers = (
    await inTurns(sizes.slices, (nr) =>
      makeSlice(ask, { token: people[nr % people.length] ?? '', template, nr }),
    )
  ).flat()
  const byNode = Map.groupBy(slivers, ({ nodeId }) => nodeId)
  await inTurns(sizes.nodes, (nr) => report(ask, nr + 1, byNode.get(nr + 1) ?? []))
  await addPast(server.database)
  const researcher = await makeGroup(ask, { operator, nr: sizes.groups })
  // From now on, whoever makes a group accepts it.
  await ask(routes.agreements, { method: 'POST', token: operator, body: { text: 'Be kind.' } })
  return { operators, researcher }
}

interface MadeSliver {
  readonly sliceId: number
  readonly nodeId: number
}

async function makeToken(ask: Ask, token: string, body: object): Promise<string> {
  const { body: made } = await ask(routes.tokens, { method: 'POST', token, body })
  return (JSON.parse(made.toString()) as TokenCreated).secret
}

async function makeTemplate(ask: Ask, token: string): Promise<string> {
  const name = 'tiny'
  const body = { name, node_archs: ['x86_64'] }
  const made = await ask(routes.templates, { method: 'POST', token, body })
  const { id } = JSON.parse(made.body.toString()) as Template
  await ask(path(routes.templateUploadImage, { id }), {
    method: 'PUT',
    token,
    body: gzipSync('a root file system'),
    headers: { 'content-type': 'application/gzip' },
  })
  return name
}

/** Make a user with a host and a group that may have slices. Returns the user's token. */
async function makeGroup(
  ask: Ask,
  { operator, nr }: { readonly operator: string; readonly nr: number },
): Promise<string> {
  const name = `group-${nr}`
  await ask(routes.users, { method: 'POST', token: operator, body: { name } })
  const token = await makeToken(ask, operator, { name, user: name })
  const made = await ask(routes.groups, { method: 'POST', token, body: { name } })
  const { id, uri } = JSON.parse(made.body.toString()) as Group
  const quotas = { slivers: 1_000, memory_mib: 1_000_000, disk_mib: 1_000_000 }
  await ask(uri, { method: 'PATCH', token: operator, body: { allow_slices: true, quotas } })
  const request = { kind: 'allow_nodes', group: { id }, message: 'We have a roof.' }
  await ask(routes.requests, { method: 'POST', token, body: request })
  await ask(routes.hosts, { method: 'POST', token, body: { name: `host-${nr}` } })
  return token
}

async function makeSlice(
  ask: Ask,
  {
    token,
    template,
    nr,
  }: { readonly token: string; readonly template: string; readonly nr: number },
): Promise<readonly MadeSliver[]> {
  const first = nr * sizes.sliversPerSlice
  const nodes = Array.from(
    { length: sizes.sliversPerSlice },
    (_, index) => `n${1 + ((first + index) % sizes.nodes)}`,
  )
  const body = { name: `slice-${nr}`, description: 'of the bench', template, nodes }
  const made = await ask(routes.sliceEnsure, { method: 'PUT', token, body })
  const { slivers } = JSON.parse(made.body.toString()) as SliceWithSlivers
  return slivers.map(({ slice, node }) => ({ sliceId: slice.id, nodeId: node.id }))
}

/** Have a node report, as its agent does. */
async function report(ask: Ask, id: number, slivers: readonly MadeSliver[]): Promise<void> {
  const body: NodeReport = {
    ...nodeReport,
    public_prefix: `2001:db8:${id.toString(16)}::/64`,
    slivers: slivers.map(({ sliceId, nodeId }, index) =>
      showSliver(sliverId(sliceId, nodeId), index),
    ),
  }
  await ask(path(routes.nodeState, { id }), { method: 'PUT', token: nodeSecret(id), body })
}

function showSliver(id: string, nr: number): SliverReport {
  return {
    id,
    nr: nr + 1,
    state: 'started',
    slice_instance_sn: 0,
    instance_sn: 0,
    interfaces: [],
    ssh_host_key:
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPcUL0oOLBc2IAKGhUWJj1X2fmfJmzPHWBLJYg2wx5s2',
    started_on: '2026-05-04T12:00:00.000Z',
    errors: [],
  }
}

/** Do something so many times, a few at once. Returns the results in order. */
async function inTurns<T>(count: number, work: (nr: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const workers = Array.from({ length: atOnce }, async () => {
    while (next < count) {
      const nr = next++
      results[nr] = await work(nr)
    }
  })
  await Promise.all(workers)
  return results
}
