import { path, routes } from '@community-lab/contract'
import type { ServerProcess } from '../../support/server-process.ts'
import { median } from '../table.ts'
import type { Ask } from './ask.ts'

/** A read, and the most that it may take. */
export interface Read {
  readonly name: string
  readonly url: string
  /** What the asker accepts; default: what this project's clients do. */
  readonly accept?: string
}

/** What a read took. */
export interface ReadFigures {
  readonly name: string
  readonly sizeKiB: number
  /** CPU time of the server for an answer, in milliseconds. */
  readonly serverMs: number
  /** CPU time of PostgreSQL for it. */
  readonly postgresMs: number
  /** The median time until the whole answer was there. */
  readonly wallMs: number
  /** CPU time of the server when the asker has the answer already (304). */
  readonly unchangedMs: number
}

const lists = {
  nodes: routes.nodes,
  slices: routes.slices,
  slivers: routes.slivers,
  templates: routes.templates,
  servers: routes.servers,
  islands: routes.islands,
  hosts: routes.hosts,
  groups: routes.groups,
  users: routes.users,
  tokens: routes.tokens,
  agreements: routes.agreements,
  requests: routes.requests,
  journal: routes.journal,
  'audit trail': routes.audit,
} as const

/** Lists that are answered in pages only. */
const endless: readonly string[] = [routes.journal, routes.audit]

/** The first page of each list, each list as a whole, filtered lists, and each detail. `sliver` is the one with a long past. */
export function listReads(sliver: string): readonly Read[] {
  const details = {
    node: path(routes.node, { id: 1 }),
    slice: path(routes.slice, { id: 1 }),
    sliver: path(routes.sliver, { id: sliver }),
    template: path(routes.template, { id: 1 }),
    server: path(routes.server, { id: 2 }),
    island: path(routes.island, { id: 1 }),
    host: path(routes.host, { id: 1 }),
    group: path(routes.group, { id: 2 }),
    user: path(routes.user, { id: 2 }),
    agreement: path(routes.agreement, { id: 1 }),
    request: path(routes.request, { id: 1 }),
    'journal entry': path(routes.journalEntry, { id: 1 }),
    'entry of the audit trail': path(routes.auditEntry, { id: 1 }),
    'last report of a node': path(routes.nodeState, { id: 1 }),
    'last report of a sliver': path(routes.sliverState, { id: sliver }),
    'history of a node, first part': path(routes.nodeHistory, { id: 1 }),
    'history of a sliver, first part': path(routes.sliverHistory, { id: sliver }),
    'availability of a node, 400 days': `${path(routes.nodeAvailability, { id: 1 })}?from=${yearAgo()}`,
    'availability of a sliver, 400 days': `${path(routes.sliverAvailability, { id: sliver })}?from=${yearAgo()}`,
  }
  const whole = Object.entries(lists).filter(([, url]) => !endless.includes(url))
  return [
    ...Object.entries(lists).map(([name, url]) => ({
      name: `${name}, first page`,
      url: `${url}?per_page=100`,
    })),
    ...whole.map(([name, url]) => ({ name: `${name}, whole`, url })),
    ...whole.map(([name, url]) => ({
      name: `${name}, whole, for CONFINE’s clients`,
      url,
      accept: 'application/json',
    })),
    { name: 'nodes with room', url: `${routes.nodes}?room={}&per_page=100` },
    { name: 'nodes by property', url: `${routes.nodes}?/properties/roof="flat"&per_page=100` },
    { name: 'slivers of a node', url: `${routes.slivers}?/node/id=7` },
    { name: 'journal of a node', url: `${routes.journal}?/node_name="n7"` },
    { name: 'journal of a gone slice', url: `${routes.journal}?/slice_name="gone-77"` },
    { name: 'journal of a group', url: `${routes.journal}?/group/id=7` },
    { name: 'journal of a day', url: `${routes.journal}?from=${daysAgo(200)}&to=${daysAgo(199)}` },
    {
      name: 'audit trail of an object',
      url: `${routes.audit}?/kind="node"&/object_id="7"&per_page=100`,
    },
    ...Object.entries(details).map(([name, url]) => ({ name, url })),
  ]
}

const dayMs = 86_400_000
const daysAgo = (days: number): string => new Date(Date.now() - days * dayMs).toISOString()
const yearAgo = (): string => daysAgo(400)

const measuredMs = 400
const mostRequests = 300

/** Measure a read: how much CPU time the server spends on it, again and again. */
export async function measureRead(
  server: ServerProcess,
  { name, url, accept }: Read,
  get: (url: string, headers?: Readonly<Record<string, string>>) => ReturnType<Ask>,
): Promise<ReadFigures> {
  const asked = accept === undefined ? {} : { accept }
  let { headers, body } = await get(url, asked)
  const fresh = await repeat(server, async () => ({ headers, body } = await get(url, asked)))
  const etag = headers.etag ?? ''
  const unchanged = await repeat(server, () => get(url, { ...asked, 'if-none-match': etag }))
  return {
    name,
    sizeKiB: body.length / 1024,
    serverMs: fresh.serverMs,
    postgresMs: fresh.postgresMs,
    wallMs: fresh.wallMs,
    unchangedMs: unchanged.serverMs,
  }
}

async function repeat(
  server: ServerProcess,
  work: () => Promise<unknown>,
): Promise<Pick<ReadFigures, 'serverMs' | 'postgresMs' | 'wallMs'>> {
  for (let warmUp = 0; warmUp < 3; warmUp++) await work()
  const before = await server.readUsage()
  const beganMs = performance.now()
  const wallMs: number[] = []
  while (wallMs.length < mostRequests && performance.now() - beganMs < measuredMs) {
    const askedMs = performance.now()
    await work()
    wallMs.push(performance.now() - askedMs)
  }
  const after = await server.readUsage()
  const perRequest = (seconds: number): number => (seconds * 1000) / wallMs.length
  return {
    serverMs: perRequest(after.serverCpuS - before.serverCpuS),
    postgresMs: perRequest(after.postgresCpuS - before.postgresCpuS),
    wallMs: median(wallMs),
  }
}
