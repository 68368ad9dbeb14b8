import websocket, { type WebSocket } from '@fastify/websocket'
import {
  LabError,
  routes,
  streamPingMs,
  streamSilenceMs,
  streamSubprotocol,
} from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { permit } from '../access/permit.ts'
import '../decorations.ts'
import '../http/node-turns.ts'
import { watchSilence } from '../http/silence.ts'
import '../telemetry/decoration.ts'
import { closeCodes, closeStream, serveStream } from './connection.ts'
import { writeFrame } from './frame.ts'
import { createIntake, type IntakeOptions } from './intake.ts'
import { createNodeRates, type NodeRate } from './rate.ts'
import { boundStream } from './bound-stream.ts'

/** Options of the stream plugin. */
export interface StreamPluginOptions {
  /** A connection is closed after this time of silence, in milliseconds; default {@link streamSilenceMs}. */
  readonly silenceMs?: number
  /** A node counts as offline after this time of silence, in milliseconds; default 30 s. Nodes are pinged often enough for it. */
  readonly offlineAfterMs?: number
  /** The most bytes of uncommitted samples in memory; default 16 MiB for all streams, 2 MiB for one. */
  readonly intake?: Partial<IntakeOptions>
  /** The most bytes that a node may send; default 1 GiB an hour, and 512 MiB at once. */
  readonly nodeRate?: Partial<NodeRate>
}

const mebibyte = 1024 * 1024
/** The longest WebSocket message, in bytes. Agents end a batch at half of it. */
export const maxMessageBytes = mebibyte

type NodeRequest = FastifyRequest<{ Params: { id: string } }>

/**
 * The streams of samples: `/api/nodes/{id}/ctl/stream`, only for the node itself. Refusals are answered as an HTTP problem before the
 * upgrade. A newer connection of a node replaces its older one. Needs `app.registry`, `app.telemetry` and `request.principal`. Uses
 * `@fastify/websocket` if the app has registered it, and registers it otherwise.
 */
export default fp<StreamPluginOptions>(
  async (app, { silenceMs = streamSilenceMs, offlineAfterMs = 30_000, ...limits }) => {
    if (!app.hasDecorator('websocketServer')) {
      const options = { maxPayload: maxMessageBytes, perMessageDeflate: false }
      await app.register(websocket, { options })
    }
    const { registry, telemetry } = app
    const intake = createIntake({
      maxBytes: 16 * mebibyte,
      maxStreamBytes: 2 * mebibyte,
      turnMs: 2_000,
      ...limits.intake,
    })
    const rate = { bytesPerHour: 1024 * mebibyte, burstBytes: 512 * mebibyte, ...limits.nodeRate }
    const nodeRates = createNodeRates(rate, () => performance.now())
    intake.hold(telemetry.isDiskShort)
    const ignoreDisk = telemetry.onDiskShort((isShort) => {
      intake.hold(isShort)
      const text = isShort ? 'samples are not taken: the disk is nearly full' : 'samples are taken'
      app.log.warn(telemetry.health(), text)
    })
    const nodes = new WeakMap<FastifyRequest, { readonly id: number; readonly name: string }>()
    const connections = new Map<number, WebSocket>()
    const notes = new Set<Promise<void>>()

    /** Note contact of a node, in order. The server stops only after all contacts are noted. */
    function noteContact(nodeId: number, connected: boolean): void {
      const note: Promise<void> = registry
        .noteContact(nodeId, connected)
        // The next contact is noted again. The stream works without it.
        .catch((error: unknown) => app.log.warn({ err: error, node: nodeId }, 'contact not noted'))
        .finally(() => notes.delete(note))
      notes.add(note)
    }

    const unsubscribe = registry.onTargetChanged((nodeId) => {
      const socket = connections.get(nodeId)
      if (socket !== undefined && socket.readyState === socket.OPEN)
        socket.send(writeFrame({ type: 'changed' }))
    })
    // A paused connection reads no answer to the end of the stream, and would hold up the stop of the server.
    app.addHook('preClose', (done) => {
      for (const socket of connections.values())
        closeStream(socket, closeCodes.leaving, 'the server stops')
      done()
    })
    app.addHook('onClose', async () => {
      unsubscribe()
      ignoreDisk()
      await Promise.all(notes)
    })

    async function admit(request: NodeRequest): Promise<void> {
      const { id } = request.params
      const nodeId = /^[1-9]\d{0,8}$/u.test(id) ? Number(id) : null
      if (nodeId === null)
        throw new LabError('LAB_NOT_FOUND', { kind: 'node', id: id.slice(0, 64) })
      permit(request.principal, 'open a node’s stream', { owner: { nodeId } })
      const node = await registry.node(nodeId)
      if (node === null) throw new LabError('LAB_NOT_FOUND', { kind: 'node', id })
      const [offered] = (request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/u)
      if (request.ws && offered !== streamSubprotocol) {
        const message = `must be ${streamSubprotocol}`
        const issues = [{ pointer: 'header sec-websocket-protocol', message }]
        throw new LabError('LAB_REQUEST_INVALID', { issues })
      }
      nodes.set(request, { id: nodeId, name: node.name })
    }

    app.get<{ Params: { id: string } }>(
      routes.nodeStream.replace('{id}', ':id'),
      {
        websocket: true,
        preHandler: admit,
        config: { right: 'open a node’s stream', rateLimit: false, byNodes: true },
        schema: { tags: ['nodes'], summary: 'WebSocket: the node’s stream of samples' },
      },
      (socket, request) => {
        const node = nodes.get(request)
        if (node === undefined) {
          socket.close(closeCodes.failed, 'not admitted')
          return
        }
        const { log } = request
        const isCurrent = (): boolean => connections.get(node.id) === socket
        const older = connections.get(node.id)
        if (older !== undefined)
          closeStream(older, closeCodes.replaced, 'a newer connection of this node')
        connections.set(node.id, socket)
        log.info({ node: node.id }, 'stream opened')
        socket.on('error', (error) => log.info({ err: error, node: node.id }, 'stream broken'))
        socket.once('close', (code, reason) => {
          log.info({ node: node.id, code, reason: reason.toString() }, 'stream closed')
          if (!isCurrent()) return
          connections.delete(node.id)
          noteContact(node.id, false)
        })
        watchSilence(socket, {
          silenceMs,
          // Contact is noted twice in this time. A node that sends nothing must answer a ping before it would count as offline.
          pingMs: Math.min((silenceMs * streamPingMs) / streamSilenceMs, offlineAfterMs / 2.5),
          bytesRead: () => request.raw.socket.bytesRead,
          onHeard: () => {
            if (isCurrent()) noteContact(node.id, true)
          },
        })
        serveStream(socket, {
          store: telemetry,
          node,
          intake: boundStream(socket, request.raw.socket, { intake, nodeRates, nodeId: node.id }),
          poll: (has) => registry.poll(node.id, has),
          sliceGroup: (sliceId) => registry.sliceGroup(sliceId),
          onWelcomed: () => {
            if (isCurrent()) noteContact(node.id, true)
          },
          onError: (error) => log.error({ err: error, node: node.id }, 'samples not stored'),
        })
      },
    )
  },
  { name: 'stream', fastify: '5.x', dependencies: ['telemetry'] },
)
