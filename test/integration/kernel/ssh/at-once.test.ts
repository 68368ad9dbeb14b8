import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import ssh2 from 'ssh2'
import { afterEach, expect, it } from 'vitest'
import { connectSsh } from '../../../../kernel/src/ssh/connection.ts'
import { execOn } from '../../../../kernel/src/ssh/exec.ts'
import { openTunnel } from '../../../../kernel/src/ssh/tunnel.ts'

// A nearby sliver is so fast that its messages arrive in one packet.

const { signal } = new AbortController()
const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

it('keeps what a sliver sends in the packet that opens the tunnel', async () => {
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    const banner = Buffer.from('SSH-2.0-near\r\n')
    // A binary message, unmasked, shorter than 126 bytes (RFC 6455 section 5.2).
    socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0x82, banner.length]), banner]))
    cleanups.push(() => socket.destroy())
  })
  const url = `http://127.0.0.1:${await portOf(server)}`
  const stream = await openTunnel({ url, sliverId: '1@1', headers: {}, signal })
  const [said] = (await once(stream, 'data')) as [Buffer]
  expect(said.toString()).toBe('SSH-2.0-near\r\n')
  stream.destroy()
})

it('has the exit code and the output of a command that ends in the packet of its start', async () => {
  const hostKey = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
  const own = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
  const server = createTcpServer((socket) => serveAtOnce(socket, hostKey.private))
  const port = await portOf(server)
  const connection = await connectSsh(connect({ host: '127.0.0.1', port }), {
    sliver: '1@1',
    node: 'n1',
    hostKey: hostKey.public,
    privateKey: own.private,
    signal,
  })
  const lease = { connection, others: 0, end: () => undefined }
  const pool = {
    lease: () => Promise.resolve(lease),
    warm: () => Promise.resolve(),
    drop: () => undefined,
    close: () => undefined,
  }
  const target = {
    id: '1@1',
    node: 'n1',
    state: 'started',
    hostKey: hostKey.public,
    startedOn: null,
  }
  const result = await execOn(pool, target, { command: 'true', signal })
  expect(result).toMatchObject({ exitCode: 3, stdout: 'done\n', error: null })
  connection.close()
})

/** Serve SSH with an answer to a command, from its start to its end, in one packet. */
function serveAtOnce(socket: Socket, hostKey: string): void {
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('authentication', (context) => context.accept())
    client.on('error', () => undefined)
    client.on('session', (acceptSession) => {
      acceptSession().on('exec', (acceptCommand) => {
        socket.cork()
        const channel = acceptCommand()
        channel.write('done\n')
        channel.exit(3)
        channel.end()
        socket.uncork()
      })
    })
  })
  // This method is part of the server's public interface but missing in its types.
  const injectable = server as unknown as { injectSocket(socket: Socket): void }
  injectable.injectSocket(socket)
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
