import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { relayPort, type PortRelay } from '../../../server/vct/src/launch/port-relay.ts'
import { freePort } from '../../support/free-port.ts'

let dir: string
let socket: string
let relay: PortRelay
let server: Server | null = null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cl-relay-'))
  socket = join(dir, 'server.sock')
  relay = await relayPort(await freePort(), socket)
})
afterEach(async () => {
  await relay[Symbol.asyncDispose]()
  server?.close()
  server = null
  await rm(dir, { recursive: true })
})

async function serve(onClient: (client: Socket) => void): Promise<void> {
  server = createServer({ allowHalfOpen: true }, onClient)
  server.listen(socket)
  await once(server, 'listening')
}

const dial = () => connect({ port: relay.port, host: '127.0.0.1' })

test('bytes pass both ways as they are, and the answer after the question has ended', async () => {
  await serve((client) => {
    void buffer(client).then((bytes) => client.end(createHash('sha256').update(bytes).digest()))
  })
  const bytes = randomBytes(3_000_000)
  const client = dial()
  client.end(bytes)
  expect(await buffer(client)).toEqual(createHash('sha256').update(bytes).digest())
})

test('a stream of events comes as it is sent', async () => {
  const clients: Socket[] = []
  await serve((client) => clients.push(client))
  const client = dial()
  client.write('hello')
  await once(client, 'connect')
  while (clients.length === 0) await once(server ?? client, 'connection')
  for (const event of ['one', 'two']) {
    clients[0]?.write(event)
    const [chunk] = (await once(client, 'data')) as [Buffer]
    expect(chunk.toString()).toBe(event)
  }
  client.destroy()
  for (const each of clients) each.destroy()
})

test('the end of the server ends the connection', async () => {
  await serve((client) => client.once('data', () => client.destroy()))
  const client = dial()
  client.write('hello')
  client.resume()
  client.on('error', () => undefined)
  await once(client, 'close')
})

test('a connection is closed at once while nobody serves', async () => {
  const client = dial()
  client.resume()
  client.on('error', () => undefined)
  await once(client, 'close')
})

test('a port in use is refused with the option that chooses another', async () => {
  const refused = await relayPort(relay.port, socket).catch((error: unknown) => error)
  expect(LabError.is(refused, 'LAB_PORT_IN_USE')).toBe(true)
  expect(String(refused)).toContain(`port ${relay.port}, wanted for the server, is in use`)
  expect(String(refused)).toContain('--port')
})
