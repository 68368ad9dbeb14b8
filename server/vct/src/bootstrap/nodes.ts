import { machine } from 'node:os'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { archOf, EnrollmentToken, LabError, Node, path, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { ServerClient } from './server-client.ts'

const Nodes = Type.Array(Node)

/** A node that is to be known to the server. */
export interface EnrollingNode {
  readonly name: string
  /** Whether its agent has enrolled. */
  readonly isEnrolled: boolean
  /** Tell who it is to the server, and the token for its first contact; null when it has enrolled before. */
  register(id: number, enrollmentToken: string | null): void
}

/** Make sure that the server has every node, and that each has what it needs to enrol. A new one belongs to the group. */
export async function ensureNodes(
  operator: ServerClient,
  nodes: readonly EnrollingNode[],
  { groupId, signal }: { readonly groupId: number; readonly signal: AbortSignal },
): Promise<void> {
  const known = await operator.ask(Nodes, routes.nodes, { signal })
  // One after the other, so that ids rise with names.
  for (const node of nodes) {
    const found = known.find(({ name }) => name === node.name) ?? (await create(node.name))
    node.register(found.id, node.isEnrolled ? null : await enrollmentToken(found.id))
  }

  function create(name: string): Promise<Node> {
    const body = {
      name,
      group: { id: groupId },
      arch: archOf(process.arch, machine()),
      description: 'A node of the virtual testbed',
    }
    return operator.ask(Node, routes.nodes, { method: 'POST', body, signal })
  }

  async function enrollmentToken(id: number): Promise<string> {
    const at = path(routes.nodeEnrollmentToken, { id })
    return (await operator.ask(EnrollmentToken, at, { method: 'POST', signal })).token
  }
}

/** Options of {@link bringIntoProduction}. */
export interface ProductionOptions {
  readonly nodes: readonly Pick<EnrollingNode, 'name'>[]
  /** When their agents were started: what the server knew of them before does not count. */
  readonly since: Date
  /** Called when the number of those that are there has changed. */
  readonly note: (message: string) => void
  /** Called between looks; throws to give up. */
  readonly check: () => void
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/**
 * Put every node into production once it has enrolled, and wait until all are. One that somebody has put into failure stays there.
 *
 * @throws {@link LabError} LAB_TIMEOUT with the states of those that are not there.
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
