import { createConnection, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { LabError } from '@community-lab/contract'

/** A TCP port of this machine whose connections are forwarded to a Unix socket, byte by byte. So WebSockets and event streams work, too. */
export interface PortRelay extends AsyncDisposable {
  readonly port: number
}

/**
 * Serve a port of 127.0.0.1 that forwards to a Unix socket. The socket need not exist yet. While nobody listens on it, connections are closed at
 * once, as if nobody listened on the port.
 *
 * @throws {@link LabError} LAB_PORT_IN_USE.
 */
export async function relayPort(port: number, socket: string): Promise<PortRelay> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (outer) => {
    const inner = createConnection({ path: socket, allowHalfOpen: true })
    for (const end of [outer, inner]) {
      open.add(end)
      end.on('close', () => open.delete(end))
    }
    join(outer, inner)
    join(inner, outer)
  })
  server.listen({ port, host: '127.0.0.1', exclusive: true })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw cause
    throw new LabError('LAB_PORT_IN_USE', { port, what: 'the server', option: '--port' }, { cause })
  }
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const end of open) end.destroy()
      await closed
    },
  }
}

/** Forward the data of one end, and also its end or failure. */
function join(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => {
    // When one end fails, the other is closed, too. When one end has only finished sending, the other may continue.
    if (!from.readableEnded) to.destroy()
  })
}
