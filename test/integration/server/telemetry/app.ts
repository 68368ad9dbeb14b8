import { EventEmitter } from 'node:events'
import type { Node } from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { anonymous, type Principal } from '../../../../server/src/access/principal.ts'
import { problemPlugin } from '../../../../server/src/http/problems.ts'
import { useContractSchemas } from '../../../../server/src/http/validate.ts'
import type { Registry } from '../../../../server/src/registry/registry.ts'
import streamPlugin, { type StreamPluginOptions } from '../../../../server/src/stream/plugin.ts'
import telemetryPlugin from '../../../../server/src/telemetry/plugin.ts'
import type { TelemetryStoreOptions } from '../../../../server/src/telemetry/store.ts'

/** What the parts under test ask of a registry: nodes 1 to 1000, and slice 3 of group 1. */
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

const unnamed = { tokenName: null, csrfToken: null, userName: null } as const
const whole = { scope: 'all', endsMs: null, soughtMs: 0, memberships: [], ...unnamed } as const
const member = (groupId: number) => ({
  ...whole,
  memberships: [{ groupId, isGroupAdmin: false, isNodeAdmin: false, isSliceAdmin: false }],
})
const principals: Readonly<Record<string, Principal>> = {
  operator: { ...whole, role: 'operator', tokenId: 1, userId: 1, nodeId: null },
  group1: { ...member(1), role: 'researcher', tokenId: 2, userId: 2, nodeId: null },
  group2: { ...member(2), role: 'researcher', tokenId: 3, userId: 3, nodeId: null },
}

/** Who a token speaks for: a principal of that name, or `node<id>`. */
function principalOf(token: string): Principal {
  const nodeId = /^node(\d+)$/u.exec(token)?.[1]
  if (nodeId === undefined) return principals[token] ?? anonymous
  return {
    ...whole,
    role: 'node',
    tokenId: 10 + Number(nodeId),
    userId: null,
    nodeId: Number(nodeId),
  }
}

/** Options of {@link startApp}. */
export interface TestAppOptions extends StreamPluginOptions {
  readonly telemetry?: Partial<TelemetryStoreOptions>
  /** Adds further routes. */
  readonly more?: (app: FastifyInstance) => Promise<void>
}

/** Start it on a free port; the token of a request is the name of one of its principals. */
export async function startApp(
  dir: string,
  { telemetry = {}, more, ...stream }: TestAppOptions = {},
): Promise<TestApp> {
  // On a busy machine the store takes more than the ten seconds after which Fastify gives up.
  const app = Fastify({ pluginTimeout: 0 })
  const registry = createTestRegistry()
  app.decorate('registry', registry)
  app.decorateRequest('principal')
  app.addHook('onRequest', (request, _reply, done) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    request.principal = principalOf(token)
    done()
  })
  useContractSchemas(app)
  await app.register(problemPlugin)
  await app.register(telemetryPlugin, { dir, commitDelayMs: 1, ...telemetry })
  await app.register(streamPlugin, stream)
  await more?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return { app, registry, port, [Symbol.asyncDispose]: () => app.close() }
}

function createTestRegistry(): TestRegistry {
  const events: TestRegistry['events'] = new EventEmitter()
  return {
    events,
    node: (id) => Promise.resolve(id <= 1000 ? ({ id, name: `n${id}` } as Node) : null),
    sliver: () => Promise.resolve(null),
    groupContact: () => Promise.resolve({ id: 1, name: 'red', admins: ['ada'] }),
    sliceGroup: (sliceId) => Promise.resolve(sliceId === 3 ? 1 : null),
    tincHosts: () => Promise.resolve([]),
    onTargetChanged(listener) {
      events.on('target', listener)
      return () => events.off('target', listener)
    },
    onTincHostsChanged: () => () => undefined,
    poll: () => Promise.resolve({ target: true, report: false }),
    target: () => Promise.resolve(null),
    takeReport: () => Promise.resolve(''),
    noteContact(nodeId, connected) {
      events.emit('contact', nodeId, connected)
      return Promise.resolve()
    },
    reportIncident: () => Promise.resolve(),
  }
}
