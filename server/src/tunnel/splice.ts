import type { Socket } from 'node:net'
import type { WebSocket } from '@fastify/websocket'
import type { RawData } from 'ws'

/** The most bytes in one message. Proxies between browser and server cut messages above 1 MiB. */
const maxTunnelMessageBytes = 256 * 1024
/** With this many unsent bytes for the WebSocket, the sliver's port is not read. */
const highWaterBytes = 256 * 1024
/** The time for which the sliver may continue to send after its client has finished, in milliseconds. */
const lingerMs = 10_000

/**
 * Carry bytes between a WebSocket and a sliver's port until both have ended. Settles when both are closed.
 *
 * Binary messages are bytes. An empty message says that the client sends no more (WebSockets cannot close one half), and the sliver's remaining
 * output still arrives. When the sliver ends, the WebSocket is closed with 1000 after all bytes; after a broken connection with 1011. A slow
 * side slows the other side down: at most {@link maxTunnelMessageBytes} and the sockets' own buffers wait in memory, in each direction.
 */
export function spliceTunnel(socket: WebSocket, port: Socket): Promise<null> {
  const done = Promise.withResolvers<null>()

  function fromPort(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += maxTunnelMessageBytes) {
      socket.send(chunk.subarray(at, at + maxTunnelMessageBytes), { binary: true }, resumePort)
    }
    if (socket.bufferedAmount > highWaterBytes) port.pause()
  }
  function resumePort(): void {
    if (socket.bufferedAmount <= highWaterBytes && port.isPaused()) port.resume()
  }
  function fromSocket(data: RawData, isBinary: boolean): void {
    if (!isBinary) {
      socket.close(1003, 'binary messages only')
      return
    }
    const bytes = toBuffer(data)
    if (bytes.length === 0) port.end()
    else if (!port.writableEnded && !port.write(bytes)) socket.pause()
  }

  port.on('data', fromPort)
  port.on('drain', () => socket.resume())
  port.on('end', () => socket.close(1000))
  port.on('error', () => socket.close(1011, 'the sliver’s connection broke'))
  port.on('close', () => {
    socket.resume()
    socket.close(1000)
  })
  socket.on('message', fromSocket)
  socket.on('error', () => port.destroy())
  socket.on('close', () => {
    // Bytes of the client are still delivered to the sliver. Bytes of the sliver are dropped, because nobody reads them any more.
    port.off('data', fromPort)
    port.resume()
    port.end()
    port.setTimeout(lingerMs, () => port.destroy())
    if (port.destroyed) done.resolve(null)
    else port.once('close', () => done.resolve(null))
  })
  port.resume()
  return done.promise
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}
