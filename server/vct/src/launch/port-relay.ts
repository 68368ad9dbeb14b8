import { createConnection, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { LabError } from '@community-lab/contract'

/** A TCP port of this machine whose connections go to a Unix socket, bytes as they are: so WebSockets and event streams pass. */
export interface PortRelay extends AsyncDisposable {
  readonly port: number
}

/**
 * Offer a Unix socket at a port of 127.0.0.1. The socket need not be there yet: until then, and while nobody serves it, a connection is closed at
 * once, as if nobody served the port.
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

/** Pass on what one end sends, and whether it has finished sending or has broken off. */
function join(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => {
    // When one end breaks off, the other is closed too. When it has only finished sending, the other may go on.
    if (!from.readableEnded) to.destroy()
  })
}
