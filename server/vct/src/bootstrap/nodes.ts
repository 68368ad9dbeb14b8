import { setTimeout as delay } from 'node:timers/promises'
import { EnrollmentToken, LabError, Node, path, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { VirtualNode } from '../pod/virtual-node.ts'
import { localArch } from './template.ts'
import type { ServerClient } from './server-client.ts'

const Nodes = Type.Array(Node)

/** Make sure that the server has every node, wants it in production, and that each has what it needs to enrol. */
export async function ensureNodes(
  operator: ServerClient,
  nodes: readonly VirtualNode[],
  signal: AbortSignal,
): Promise<void> {
  const known = await operator.ask(Nodes, routes.nodes, { signal })
  // One after the other, so that ids rise with names.
  for (const node of nodes) {
    const found = known.find(({ name }) => name === node.name) ?? (await create(node.name))
    if (found.set_state !== 'production') {
      const change = { method: 'PATCH', body: { set_state: 'production' }, signal } as const
      await operator.ask(Node, path(routes.node, { id: found.id }), change)
    }
    node.register(found.id, node.isEnrolled ? null : await enrollmentToken(found.id))
  }

  function create(name: string): Promise<Node> {
    const body = { name, arch: localArch(), description: 'A node of the virtual testbed' }
    return operator.ask(Node, routes.nodes, { method: 'POST', body, signal })
  }

  async function enrollmentToken(id: number): Promise<string> {
    const at = path(routes.nodeEnrollmentToken, { id })
    return (await operator.ask(EnrollmentToken, at, { method: 'POST', signal })).token
  }
}

/** Options of {@link waitForProduction}. */
export interface ProductionOptions {
  readonly nodes: readonly VirtualNode[]
  /** Called when the number of those in production has changed. */
  readonly note: (message: string) => void
  /** Called between looks; throws to give up. */
  readonly check: () => void
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Wait until all nodes are in production. @throws {@link LabError} LAB_TIMEOUT with the states of those that are not. */
export async function waitForProduction(
  client: ServerClient,
  options: ProductionOptions,
): Promise<void> {
  const { nodes, note, check, signal, timeoutMs } = options
  const start = performance.now()
  const names = new Set(nodes.map(({ name }) => name))
  let last = ''
  for (;;) {
    const known = await client.ask(Nodes, routes.nodes, { signal })
    const ours = known.filter(({ name }) => names.has(name))
    const others = ours.filter(({ state }) => state !== 'production')
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
    await delay(150, undefined, { signal })
  }
}
