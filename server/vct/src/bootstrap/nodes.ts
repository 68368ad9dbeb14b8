import { machine } from 'node:os'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import {
  archOf,
  EnrollmentToken,
  Island,
  LabError,
  Node,
  path,
  routes,
} from '@community-lab/contract'
import Type from 'typebox'
import type { ServerClient } from './server-client.ts'

const Nodes = Type.Array(Node)

/** The node whose owner has set limits, and these limits. They leave room for what tests and tutorials do there. */
const carefulNode = 'n5'
const carefulLends = { slivers: 30, hours: ['00:00-24:00'] }

/** A node that must be registered at the server. */
export interface EnrollingNode {
  readonly name: string
  /** Whether its agent has enrolled. */
  readonly isEnrolled: boolean
  /** Give the node its id at the server and the token for its enrolment; null when it has enrolled before. */
  register(id: number, enrollmentToken: string | null): void
}

/** Make sure that the server has every node, and that each node can enrol. New nodes belong to the group. */
export async function ensureNodes(
  operator: ServerClient,
  nodes: readonly EnrollingNode[],
  { groupId, signal }: { readonly groupId: number; readonly signal: AbortSignal },
): Promise<void> {
  const known = await operator.ask(Nodes, routes.nodes, { signal })
  // One after the other, so that the order of ids is the order of names.
  for (const node of nodes) {
    const found = known.find(({ name }) => name === node.name) ?? (await create(node.name))
    node.register(found.id, node.isEnrolled ? null : await enrollmentToken(found.id))
  }

  async function create(name: string): Promise<Node> {
    const body = {
      name,
      group: { id: groupId },
      arch: archOf(process.arch, machine()),
      description: 'A node of the virtual testbed',
      island: { id: await islandOf(name) },
    }
    const made = await operator.ask(Node, routes.nodes, { method: 'POST', body, signal })
    if (name !== carefulNode) return made
    const at = path(routes.node, { id: made.id })
    return operator.ask(Node, at, { method: 'PATCH', body: { lends: carefulLends }, signal })
  }

  /** Return the id of the island of a new node. The first two nodes are on one island, the others on another. */
  async function islandOf(name: string): Promise<number> {
    const island = nodes.findIndex((node) => node.name === name) < 2 ? 'hill' : 'valley'
    const known = await operator.ask(Type.Array(Island), routes.islands, { signal })
    const found = known.find((each) => each.name === island)
    if (found !== undefined) return found.id
    const body = { name: island, description: 'A part of the virtual community network' }
    return (await operator.ask(Island, routes.islands, { method: 'POST', body, signal })).id
  }

  async function enrollmentToken(id: number): Promise<string> {
    const at = path(routes.nodeEnrollmentToken, { id })
    return (await operator.ask(EnrollmentToken, at, { method: 'POST', signal })).token
  }
}

/** Options of {@link bringIntoProduction}. */
export interface ProductionOptions {
  readonly nodes: readonly Pick<EnrollingNode, 'name'>[]
  /** The time when the agents were started. Earlier contacts of the nodes do not count. */
  readonly since: Date
  /** Called when the number of nodes in production has changed. */
  readonly note: (message: string) => void
  /** Called between checks. It throws to give up. */
  readonly check: () => void
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/**
 * Set every node to production once it has enrolled, and wait until all are in production. A node that somebody has set to failure stays in failure.
 *
 * @throws {@link LabError} LAB_TIMEOUT with the states of the other nodes.
 */
export async function bringIntoProduction(
  operator: ServerClient,
  options: ProductionOptions,
): Promise<void> {
  const { nodes, since, note, check, signal, timeoutMs } = options
  const start = performance.now()
  const names = new Set(nodes.map(({ name }) => name))
  let last = ''
  for (;;) {
    const all = await operator.ask(Nodes, routes.nodes, { signal })
    const ours = all.filter(({ name }) => names.has(name))
    for (const { id, set_state: wanted } of ours) if (wanted === 'safe') await promote(id)
    const others = ours.filter((node) => !isThere(node, since))
    const message = `${ours.length - others.length} of ${names.size} nodes in production`
    if (message !== last) note(message)
    last = message
    if (ours.length === names.size && others.length === 0) return
    check()
    const waitedMs = Math.round(performance.now() - start)
    if (waitedMs > timeoutMs) {
      const states = others.map(({ name, state }) => `${name} is ${state}`).join(', ')
      throw new LabError('LAB_TIMEOUT', { what: `production of all nodes (${states})`, waitedMs })
    }
    await delay(100, undefined, { signal })
  }

  async function promote(id: number): Promise<void> {
    const body = { set_state: 'production' }
    await operator.ask(Node, path(routes.node, { id }), { method: 'PATCH', body, signal })
  }
}

function isThere(node: Node, since: Date): boolean {
  if (node.set_state === 'failure') return true
  if (node.last_seen_on === null || new Date(node.last_seen_on) < since) return false
  return node.state === 'production'
}
