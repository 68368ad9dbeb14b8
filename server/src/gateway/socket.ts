import { lchown, lstat, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { LabError, messageOf } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { GatewayRequest, type GatewayAnswer, type GatewayEvent } from './protocol.ts'

/** Options of {@link serveGateway}. */
export interface GatewaySocketOptions {
  readonly socket: string
  /** The user who may connect, besides root. */
  readonly ownerUid: number
  readonly answer: (request: GatewayRequest) => Promise<GatewayAnswer>
}

/** The gateway's socket while it is served. */
export interface GatewaySocket {
  /** Send an event to all connected clients. */
  publish(event: GatewayEvent): void
  stop(): Promise<void>
}

const maxRequestBytes = 4096
const maxUnsentBytes = 1024 * 1024
const maxKeptIncidents = 100

/**
 * Serve the gateway's Unix socket. Only its owner may connect: from its creation on, the file has this owner and mode 0600.
 *
 * @throws {@link LabError} LAB_GATEWAY_RUNNING when another gateway answers on it.
 */
export async function serveGateway(options: GatewaySocketOptions): Promise<GatewaySocket> {
  const clients = new Set<Socket>()
  const kept: GatewayEvent[] = []
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    for (const event of kept.splice(0)) send(client, event)
    serveClient(client, options.answer)
  })
  await removeStale(options.socket)
  await listenFor(server, options)
  return {
    publish(event) {
      for (const client of clients) send(client, event)
      const incident = event.event === 'unauthorized_subnet' || event.event === 'unknown_host'
      if (incident && clients.size === 0 && kept.length < maxKeptIncidents) kept.push(event)
    },
    async stop() {
      for (const client of clients) client.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

function serveClient(client: Socket, answer: GatewaySocketOptions['answer']): void {
  let lineBytes = 0
  client.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf(0x0a)
    lineBytes = end < 0 ? lineBytes + chunk.length : chunk.length - end - 1
    if (lineBytes > maxRequestBytes) client.destroy()
  })
  const lines = createInterface({ input: client }).on('line', (line) => {
    const request = parseRequest(line)
    if (request === null) {
      send(client, { answer: 'error', ok: false, reason: 'not a request of this protocol' })
      return
    }
    const id = request.id === undefined ? {} : { id: request.id }
    answer(request).then(
      (document) => send(client, { ...document, ...id }),
      (error: unknown) => {
        const reason = messageOf(error)
        send(client, { answer: request.do, ...id, ok: false, reason })
      },
    )
  })
  // The reader of lines repeats the socket's error, which the socket's own listener handles. Without a listener here it would end the process.
  lines.on('error', () => undefined)
}

function parseRequest(line: string): GatewayRequest | null {
  try {
    const value: unknown = JSON.parse(line)
    return Value.Check(GatewayRequest, value) ? value : null
  } catch {
    // The line is not JSON. The caller gets an error.
    return null
  }
}

function send(client: Socket, document: GatewayAnswer | GatewayEvent): void {
  if (client.destroyed) return
  client.write(`${JSON.stringify(document)}\n`)
  // A client that does not read is disconnected, so that its events do not fill the memory. It asks for the status when it connects again.
  if (client.writableLength > maxUnsentBytes) client.destroy()
}

async function removeStale(path: string): Promise<void> {
  const probe = connect(path)
  try {
    await once(probe, 'connect')
  } catch {
    // Nobody answers, so an earlier gateway has left the socket behind.
    await rm(path, { force: true })
    return
  } finally {
    probe.destroy()
  }
  throw new LabError('LAB_GATEWAY_RUNNING', { socket: path })
}

/**
 * Bind the socket so that it belongs to its owner. In a folder that only root can write, it is bound and then given to the owner. In any other folder,
 * somebody could replace it by a link in between, so it is bound as the owner.
 */
async function listenFor(
  server: Server,
  { socket, ownerUid }: GatewaySocketOptions,
): Promise<void> {
  const self = process.geteuid?.() ?? 0
  const folder = await lstat(dirname(socket))
  const safe = folder.uid === self && (folder.mode & 0o022) === 0
  const listening = once(server, 'listening')
  const umask = process.umask(0o177)
  try {
    if (!safe && ownerUid !== self) process.seteuid?.(ownerUid)
    // The call itself binds the socket to its path.
    server.listen(socket)
  } finally {
    if (process.geteuid?.() !== self) process.seteuid?.(self)
    process.umask(umask)
  }
  await listening
  if (safe && ownerUid !== self) await lchown(socket, ownerUid, -1)
}
