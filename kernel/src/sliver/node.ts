import { inspect } from 'node:util'
import { lendsAll, Node as NodeSchema, nodeStates, routes } from '@community-lab/contract'
import Type from 'typebox'
import {
  abortSignal,
  anObject,
  checkOptions,
  either,
  listOf,
  oneOf,
  propertyMap,
  text,
  wholeNumber,
  words,
  yesOrNo,
} from '../argument.ts'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import {
  readAvailability,
  readHistory,
  type Availability,
  type NodePast,
  type PastOptions,
} from './past.ts'
import { splitNames, writeNodeQuery, type NodeFilter, type NodeState } from './node-query.ts'

/** A node: a computer that a member of the community network lends to the testbed. A snapshot of when it was read. */
export interface Node {
  readonly id: number
  readonly name: string
  readonly state: NodeState
  readonly arch: string
  readonly description: string
  /** Free-form properties, such as its location. */
  readonly properties: Readonly<Record<string, string>>
  /** What is left for slivers. Memory and disk in MiB; cpu in percent of one core. */
  readonly resources: readonly NodeResource[]
  /** The address in the management network. */
  readonly managementAddress: string
  /** Its /64 prefix in the community network; null until the node has reported it. */
  readonly publicPrefix: string | null
  readonly lastSeenAt: Date | null
  /** What its owner lends to all slivers together. The device's own settings may lend less. */
  readonly lends: NodeLends
  /** Why the node is not offered, and since when: slivers of several slices in a row failed on it. null: it is ready. */
  readonly notReady: { readonly since: Date; readonly reason: string } | null
}

/** An amount of a resource of a node. */
export interface NodeResource {
  readonly name: 'memory' | 'disk' | 'cpu' | 'processes'
  readonly unit: string
  readonly total: number
  /** What the server can still allocate. */
  readonly available: number
}

/** What an owner lends to all slivers together; null: no limit. */
export interface NodeLends {
  readonly slivers: number | null
  readonly memoryMiB: number | null
  readonly diskMiB: number | null
  readonly processes: number | null
  /** In percent of one core. */
  readonly cpuPct: number | null
  /** In each direction. */
  readonly rateMbps: number | null
  /** The kinds of interfaces besides `management`. */
  readonly interfaces: readonly string[] | null
  /** In the time of the node, such as `mon-fri 22:00-06:00`. */
  readonly hours: readonly string[] | null
}

/** The nodes of the testbed. */
export class Nodes {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Find nodes, in the order of their ids. Without a filter, all nodes that are ready. The server applies the filter.
   *
   * @example
   * const roofs = await lab.nodes.find({ state: 'production', properties: { place: 'roof' } })
   * const roomy = await lab.nodes.find({ state: 'production', resources: { memoryMiB: 256 } })
   * const ours = await lab.nodes.find({ group: 'red', island: 'valley', arch: 'aarch64' })
   * @throws {@link LabError} LAB_ARGUMENT_INVALID, also for an island or a group that does not exist.
   */
  async find(filter: NodeFilter = {}): Promise<Shown<Node>> {
    checkOptions('find', filter, filterKinds)
    checkOptions('find: resources', filter.resources ?? {}, resourceKinds)
    const { http, signal: lab } = this.#session
    return call({ lab, signal: filter.signal }, async (signal) => {
      const found: NodeSchema[] = []
      for (const name of splitNames(filter.name)) {
        const query = await writeNodeQuery(this.#session, { ...filter, name }, signal)
        found.push(...(await http.ask(Type.Array(NodeSchema), routes.nodes, { query, signal })))
      }
      const ready = filter.ready ?? (filter.name === undefined ? true : 'any')
      const nodes = found
        .sort((one, other) => one.id - other.id)
        .map(readNode)
        .filter(({ notReady }) => ready === 'any' || (notReady === null) === ready)
      return asTable(nodes, () => columns)
    })
  }

  /**
   * Read the states of a node in a period, the oldest first.
   *
   * @example
   * await lab.nodes.history('n1', { from: new Date(Date.now() - 3_600_000) })
   * @throws {@link LabError} LAB_NOT_FOUND.
   */
  history(name: string, options: PastOptions = {}): Promise<Shown<NodePast>> {
    return readHistory(this.#session, name, options)
  }

  /** Read how long a node was in each state within a period, and in which share of it in production. @throws {@link LabError} LAB_NOT_FOUND. */
  availability(name: string, options: PastOptions = {}): Promise<Availability> {
    return readAvailability(this.#session, name, options)
  }

  [inspect.custom](): string {
    return 'Nodes of the testbed: await nodes.find() lists them'
  }
}

const amount = wholeNumber(1, 1_000_000_000)
const resourceKinds = { memoryMiB: amount, diskMiB: amount, cpuPct: amount, processes: amount }

const filterKinds = {
  state: oneOf(...nodeStates),
  arch: text,
  name: either(text, listOf(text)),
  properties: propertyMap,
  island: words,
  group: words,
  resources: anObject,
  ready: either(yesOrNo, oneOf('any')),
  signal: abortSignal,
}

/** Return the name of a node that is given by itself or by name. */
export function nameOfNode(node: string | { readonly name: string }): string {
  return typeof node === 'string' ? node : node.name
}

function readNode(node: NodeSchema): Node {
  const handle: Node = {
    id: node.id,
    name: node.name,
    state: node.state,
    arch: node.arch,
    description: node.description,
    properties: node.properties,
    resources: node.resources.map(({ name, unit, total, avail }) => ({
      name,
      unit,
      total,
      available: avail,
    })),
    managementAddress: node.mgmt_net.addr,
    publicPrefix: node.public_prefix,
    lastSeenAt: node.last_seen_on === null ? null : new Date(node.last_seen_on),
    lends: readLends(node.lends),
    notReady:
      node.not_ready === undefined || node.not_ready === null
        ? null
        : { since: new Date(node.not_ready.since), reason: node.not_ready.reason },
  }
  Object.defineProperty(handle, inspect.custom, {
    value: () => `Node ${handle.name} (${handle.state}, ${handle.arch})`,
  })
  return handle
}

function readLends(lends: NodeSchema['lends'] = lendsAll): NodeLends {
  return {
    slivers: lends.slivers,
    memoryMiB: lends.memory_mib,
    diskMiB: lends.disk_mib,
    processes: lends.processes,
    cpuPct: lends.cpu_pct,
    rateMbps: lends.rate_mbps,
    interfaces: lends.interfaces,
    hours: lends.hours,
  }
}

const columns: readonly Column<Node>[] = [
  { name: 'node', value: ({ name }) => name },
  { name: 'state', value: ({ state }) => state },
  { name: 'arch', value: ({ arch }) => arch },
  ...(['memory', 'disk'] as const).map((resource) => ({
    name: `${resource} free (MiB)`,
    value: ({ resources }: Node) => resources.find(({ name }) => name === resource)?.available,
  })),
  { name: 'prefix', value: ({ publicPrefix }) => publicPrefix },
]
