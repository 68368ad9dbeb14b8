import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import { routes } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'
import { watchSilence } from '../http/silence.ts'
import { admitTunnel } from './admission.ts'
import { connectSliverPort } from './sliver-port.ts'
import { spliceTunnel } from './splice.ts'

/** Options of {@link tunnelPlugin}. */
export interface TunnelOptions {
  /** The port of the slivers' SSH daemons; default 22. */
  readonly sliverPort?: number
}

/** The longest message accepted from a client, in bytes. */
const maxPayload = 1024 * 1024
/** A connection of a client is closed after this time of silence, in milliseconds. */
const silenceMs = 30_000

/**
 * SSH to slivers without a VPN. A WebSocket carries bytes to `[sliver's management address]:22`. The server sees only encrypted data. Refusals are answered as
 * an HTTP problem before the upgrade: the connection to the sliver is made first. Needs `app.registry` and `request.principal`. Uses `@fastify/websocket` if
 * the app has registered it, and registers it otherwise.
 */
export const tunnelPlugin = fp<TunnelOptions>(
  async (app, options) => {
    if (!app.hasDecorator('websocketServer')) {
      await app.register(websocket, { options: { maxPayload, perMessageDeflate: false } })
    }
    // Connections to slivers between the check and the upgrade. Until `release` is called they end together with the client's connection.
    const waiting = new WeakMap<FastifyRequest, { port: Socket; release: () => void }>()

    async function connectBeforeUpgrade(
      request: FastifyRequest<{ Params: { id: string } }>,
    ): Promise<void> {
      const sliver = await admitTunnel(app.registry, {
        sliverId: request.params.id,
        principal: request.principal,
      })
      // A request without an upgrade gets 404 from the handler. No connection to the sliver is made for it.
      if (!request.ws) return
      const client = request.raw.socket
      const gone = new AbortController()
      const abort = (): void => gone.abort()
      client.once('close', abort)
      if (client.destroyed) abort()
      const port = await connectSliverPort({
        sliver: sliver.id,
        address: sliver.mgmt_net.addr,
        port: options.sliverPort ?? 22,
        signal: gone.signal,
      })
      waiting.set(request, { port, release: () => client.off('close', abort) })
    }

    app.get<{ Params: { id: string } }>(
      routes.sliverSsh.replace('{id}', ':id'),
      {
        websocket: true,
        preHandler: connectBeforeUpgrade,
        config: { right: 'open a sliver’s SSH port' },
        schema: { tags: ['slivers'], summary: "WebSocket: bytes to and from a sliver's SSH port" },
      },
      async (socket, request) => {
        const connected = waiting.get(request)
        if (connected === undefined) {
          socket.close(1011, 'not connected')
          return
        }
        connected.release()
        request.log.info({ sliver: request.params.id }, 'tunnel opened')
        watchSilence(socket, { silenceMs, bytesRead: () => request.raw.socket.bytesRead })
        await spliceTunnel(socket, connected.port)
        request.log.info({ sliver: request.params.id }, 'tunnel closed')
      },
    )
  },
  { name: 'tunnel', fastify: '5.x' },
)
