import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Listen at a free port of 127.0.0.1. */
export async function holdPort(): Promise<{ server: Server; port: number }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return { server, port: address.port }
}

/** Find a port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { server, port } = await holdPort()
  server.close()
  await once(server, 'close')
  return port
}
