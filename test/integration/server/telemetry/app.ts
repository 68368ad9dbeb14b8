import { EventEmitter } from 'node:events'
import type { Node } from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { anonymous, type Principal } from '../../../../server/src/access/principal.ts'
import { problemPlugin } from '../../../../server/src/http/problems.ts'
import { useContractSchemas } from '../../../../server/src/http/validate.ts'
import type { Registry } from '../../../../server/src/registry/registry.ts'
import streamPlugin from '../../../../server/src/stream/plugin.ts'
import telemetryPlugin from '../../../../server/src/telemetry/plugin.ts'

/** What the parts under test ask of a registry: nodes 1 to 9, and slice 3 of group 1. */
export interface TestRegistry extends Registry {
  /** Emits `contact` (node, connected) and takes `target` (node). */
  readonly events: EventEmitter<{ contact: [number, boolean]; target: [number] }>
}

/** A server of the telemetry parts alone. */
export interface TestApp extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly registry: TestRegistry
  readonly port: number
}

const whole = { scope: 'all', endsMs: null } as const
const principals: Readonly<Record<string, Principal>> = {
  operator: { ...whole, role: 'operator', tokenId: 1, userId: 1, groupId: 9, nodeId: null },
  group1: { ...whole, role: 'researcher', tokenId: 2, userId: 2, groupId: 1, nodeId: null },
  group2: { ...whole, role: 'researcher', tokenId: 3, userId: 3, groupId: 2, nodeId: null },
  node1: { ...whole, role: 'node', tokenId: 4, userId: null, groupId: null, nodeId: 1 },
  node2: { ...whole, role: 'node', tokenId: 5, userId: null, groupId: null, nodeId: 2 },
}

/** Start it on a free port; the token of a request is the name of one of its principals. */
export async function startApp(dir: string, silenceMs = 15_000): Promise<TestApp> {
  const app = Fastify()
  const registry = createTestRegistry()
  app.decorate('registry', registry)
  app.decorateRequest('principal')
  app.addHook('onRequest', (request, _reply, done) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    request.principal = principals[token] ?? anonymous
    done()
  })
  useContractSchemas(app)
  await app.register(problemPlugin)
  await app.register(telemetryPlugin, { dir, commitDelayMs: 1 })
  await app.register(streamPlugin, { silenceMs })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return { app, registry, port, [Symbol.asyncDispose]: () => app.close() }
}

function createTestRegistry(): TestRegistry {
  const events: TestRegistry['events'] = new EventEmitter()
  return {
    events,
    node: (id) => Promise.resolve(id < 10 ? ({ id, name: `n${id}` } as Node) : null),
    sliver: () => Promise.resolve(null),
    sliceGroup: (sliceId) => Promise.resolve(sliceId === 3 ? 1 : null),
    tincHosts: () => Promise.resolve([]),
    onTargetChanged(listener) {
      events.on('target', listener)
      return () => events.off('target', listener)
    },
    onTincHostsChanged: () => () => undefined,
    noteContact(nodeId, connected) {
      events.emit('contact', nodeId, connected)
      return Promise.resolve()
    },
    reportIncident: () => Promise.resolve(),
  }
}
