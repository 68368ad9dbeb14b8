import { EventEmitter, once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A way to a server's socket that stops, with all that is under way, when so many bytes have gone over it. */
export interface Way extends Disposable {
  readonly url: string
  /** Settles when it has stopped. */
  stopAfter(bytes: number): Promise<void>
  /** Cut what has stopped, and let all pass from then on. */
  open(): void
}

/** Open a way to a server's socket. */
export async function openWay(socketPath: string): Promise<Way> {
  const passed = new EventEmitter()
  const sockets = new Set<Socket>()
  let left = Infinity
  const server = createServer((client) => {
    const upstream = connect(socketPath)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // Whoever is killed breaks its connections.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.pipe(client)
    client.on('data', (chunk) => {
      if (left <= 0) return
      left -= chunk.length
      upstream.write(chunk)
      if (left > 0) return
      client.pause()
      passed.emit('stopped')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stopAfter(bytes) {
      left = bytes
      await once(passed, 'stopped')
    },
    open() {
      left = Infinity
      for (const socket of sockets) socket.destroy()
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
