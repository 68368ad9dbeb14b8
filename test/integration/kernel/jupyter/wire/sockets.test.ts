import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Subscriber } from 'zeromq'
import type { Connection } from '../../../../../kernel/src/jupyter/wire/connection.ts'
import { createBroadcast } from '../../../../../kernel/src/jupyter/wire/message.ts'
import { openSockets, type Sockets } from '../../../../../kernel/src/jupyter/wire/sockets.ts'

let sockets: Sockets
let connection: Connection

/** Ports that are free now. They are held until all are known, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

beforeEach(async () => {
  const [shell = 0, iopub = 0, stdin = 0, control = 0, hb = 0] = await freePorts(5)
  connection = {
    transport: 'tcp',
    ip: '127.0.0.1',
    key: 'key',
    ports: { shell, iopub, stdin, control, hb },
  }
  sockets = await openSockets({ connection, onMessage: () => undefined })
})
afterEach(() => sockets.close())

it('welcomes a reader that came while the kernel was busy before it sends it anything else', async () => {
  const firsts: string[] = []
  for (let round = 0; round < 20; round += 1) {
    const reader = new Subscriber({ linger: 0 })
    reader.connect(`tcp://127.0.0.1:${connection.ports.iopub}`)
    reader.subscribe('')
    // ZeroMQ connects in a thread of its own while this one is held.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    sockets.send('iopub', createBroadcast(null, { type: 'status', content: {} }))
    const [, , , header = Buffer.from('{}')] = await reader.receive()
    firsts.push((JSON.parse(header.toString()) as { msg_type: string }).msg_type)
    reader.close()
  }
  expect([...new Set(firsts)]).toEqual(['iopub_welcome'])
})
