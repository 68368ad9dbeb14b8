import { on, once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { SampleRecord, ServerFrame } from '@community-lab/contract'
import { streamSubprotocol } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { startApp, type TestApp } from '../telemetry/app.ts'
import { makeFolder, readAll, spool } from '../telemetry/world.ts'

const hello = { type: 'hello', spool, first_seq: 1, soft_version: '1' }

function records(from: number, to: number, changes: Partial<SampleRecord> = {}): SampleRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    seq: from + index,
    time_us: 1,
    source: 'node',
    name: 'cpu',
    fields: { busy_ratio: 1 },
    ...changes,
  }))
}

function batch(from: number, to: number, changes: Partial<SampleRecord> = {}) {
  return { type: 'batch', spool, records: records(from, to, changes) }
}

/** A link to a port that takes 2 kB every 20 ms towards it. */
async function slowLink(to: number): Promise<{ readonly port: number } & AsyncDisposable> {
  const relay = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    const timer = setInterval(
      () => void far.write((near.read(2_000) ?? near.read() ?? '') as Buffer),
      20,
    )
    far.pipe(near)
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.on('close', () => far.destroy())
    far.on('close', () => {
      clearInterval(timer)
      near.destroy()
    })
  })
  await once(relay.listen(0, '127.0.0.1'), 'listening')
  const { port } = relay.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: promisify(relay.close.bind(relay)) }
}

/** A node's end of the stream: what it got so far, in order. */
class Agent implements Disposable {
  readonly socket: WebSocket
  readonly closed: Promise<number>
  readonly #nextText: () => Promise<string>

  constructor({ port }: Pick<TestApp, 'port'>, token = 'node1', nodeId = 1) {
    this.socket = new WebSocket(
      `ws://127.0.0.1:${port}/api/nodes/${nodeId}/ctl/stream`,
      streamSubprotocol,
      { headers: { authorization: `Bearer ${token}` } },
    )
    this.closed = once(this.socket, 'close').then(([code]) => code as number)
    this.#nextText = readTexts(this.socket)
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame))
  }

  async next(): Promise<ServerFrame> {
    return JSON.parse(await this.#nextText()) as ServerFrame
  }

  /** Be welcomed. */
  async greet(): Promise<ServerFrame> {
    await once(this.socket, 'open')
    this.send(hello)
    return this.next()
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }
}

/** Messages in order; begun at once, so that none is missed. */
function readTexts(socket: WebSocket): () => Promise<string> {
  const messages = on(socket, 'message')
  return async () => {
    const next = (await messages.next()) as { value: [Buffer] }
    return next.value[0].toString()
  }
}

describe('a node’s stream', () => {
  it('acknowledges batches after their commit and goes on after a new hello', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    {
      using agent = new Agent(server)
      expect(await agent.greet()).toEqual({
        type: 'welcome',
        spool,
        committed_seq: 0,
        looks: true,
        times: true,
        blocks: 1,
      })
      for (let from = 1; from <= 1000; from += 100) agent.send(batch(from, from + 99))
      let committed = 0
      while (committed < 1000) {
        const frame = await agent.next()
        expect(frame.type).toBe('ack')
        if (frame.type === 'ack') committed = frame.committed_seq
        expect((await readAll(server.app.telemetry, 'cpu')).length).toBeGreaterThanOrEqual(
          committed,
        )
      }
    }
    using again = new Agent(server)
    expect(await again.greet()).toMatchObject({ committed_seq: 1000 })
    again.send(batch(991, 995))
    expect(await again.next()).toEqual({ type: 'ack', spool, committed_seq: 995 })
    again.send(batch(996, 1005))
    expect(await again.next()).toEqual({ type: 'ack', spool, committed_seq: 1005 })
    expect(await readAll(server.app.telemetry, 'cpu')).toHaveLength(1005)
  })

  it('goes on with another spool after another hello', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    const renewed = spool.replace('1', '2')
    agent.send({ ...hello, spool: renewed })
    expect(await agent.next()).toMatchObject({ type: 'welcome', spool: renewed, committed_seq: 0 })
    agent.send({ ...batch(1, 2), spool: renewed })
    expect(await agent.next()).toEqual({ type: 'ack', spool: renewed, committed_seq: 2 })
  })

  it('puts slivers’ samples into their slices and keeps others’ as rejected', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    agent.send(batch(1, 1, { source: '3@1', name: 'rtt' }))
    agent.send(batch(2, 2, { source: '3@2', name: 'rtt' }))
    agent.send(batch(3, 3, { source: '4@1', name: 'rtt' }))
    for (let frame = await agent.next(); frame.type !== 'ack' || frame.committed_seq < 3;)
      frame = await agent.next()
    const { telemetry } = server.app
    expect(await readAll(telemetry, 'rtt', 'slice-3')).toMatchObject([{ seq: 1, sliver: '3@1' }])
    expect(await readAll(telemetry, 'rejected')).toMatchObject([{ seq: 2 }, { seq: 3 }])
  })

  it('goes on past records that nothing can be done with, and tells of them', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    const [good] = records(1, 1)
    const bad = [
      { seq: 2 },
      { ...good, seq: 3, time_us: 1e300 },
      { ...good, seq: 4, source: '3@1', fields: { x: { vector: [1] } } },
      { ...good, seq: 5, time_us: -5 },
      { ...good, seq: 6, name: 'x'.repeat(99) },
    ]
    agent.send({ type: 'batch', spool, records: [good, ...bad, { ...good, seq: 7 }] })
    expect(await agent.next()).toEqual({ type: 'ack', spool, committed_seq: 7 })
    const { telemetry } = server.app
    expect(await readAll(telemetry, 'cpu')).toMatchObject([{ seq: 1 }, { seq: 7 }])
    const rejected = await readAll(telemetry, 'rejected')
    expect(rejected).toMatchObject([{ seq: 2 }, { seq: 3 }, { seq: 5 }, { seq: 6 }])
    expect(rejected[1]).toMatchObject({ reason: expect.stringContaining('time 1e+300') as string })
    expect(await readAll(telemetry, 'rejected', 'slice-3')).toMatchObject([
      { seq: 4, lines: 1, line: expect.stringContaining('vector') as string },
    ])
  })

  it('acknowledges nothing past a gap and closes', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    agent.send(batch(1, 2))
    expect(await agent.next()).toMatchObject({ committed_seq: 2 })
    agent.send(batch(4, 5))
    expect(await agent.next()).toMatchObject({ committed_seq: 2 })
    expect(await agent.closed).toBe(1002)
  })

  it('passes the hint on that the target changed', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    server.registry.events.emit('target', 2)
    server.registry.events.emit('target', 1)
    agent.send(batch(1, 1))
    expect(await agent.next()).toEqual({ type: 'changed' })
    expect(await agent.next()).toMatchObject({ type: 'ack' })
  })
})

describe('contact with a node', () => {
  it('is noted on welcome, while it is heard of, and when it has gone', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { silenceMs: 300 })
    const contact = () => once(server.registry.events, 'contact')
    using agent = new Agent(server)
    const welcomed = contact()
    await agent.greet()
    expect(await welcomed).toEqual([1, true])
    // Nothing is sent: the pongs alone tell.
    expect(await contact()).toEqual([1, true])
    const gone = contact()
    agent.socket.terminate()
    expect(await gone).toEqual([1, false])
  })

  it('is noted often enough for a node that would count as offline after a short time', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { silenceMs: 3_600_000, offlineAfterMs: 300 })
    using agent = new Agent(server)
    await agent.greet()
    for (let heard = 0; heard < 3; heard++)
      expect(await once(server.registry.events, 'contact')).toEqual([1, true])
  })

  it('goes on while the disk is short and nothing is read of the node', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, {
      silenceMs: 300,
      telemetry: { minFreeMiB: 1e9 },
    })
    using agent = new Agent(server)
    await agent.greet()
    agent.send(batch(1, 1))
    const [client] = server.app.websocketServer.clients
    await expect.poll(() => client?.isPaused).toBe(true)
    // No answer to a ping comes either, as behind a backlog that is not read.
    agent.socket.pause()
    for (let heard = 0; heard < 3; heard++)
      expect(await once(server.registry.events, 'contact')).toEqual([1, true])
  })

  it('leaves nothing of an older connection that does not answer when it is replaced', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using older = new Agent(server)
    await older.greet()
    older.socket.pause()
    using newer = new Agent(server)
    await newer.greet()
    const { clients } = server.app.websocketServer
    await expect.poll(() => clients.size).toBe(1)
  })

  it('is not lost when a newer connection replaces the older', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const contacts: boolean[] = []
    server.registry.events.on('contact', (_, connected) => contacts.push(connected))
    using older = new Agent(server)
    await older.greet()
    using newer = new Agent(server)
    await newer.greet()
    expect(await older.closed).toBe(4001)
    newer.send(batch(1, 1))
    expect(await newer.next()).toMatchObject({ committed_seq: 1 })
    expect(contacts).toEqual([true, true])
  })

  it('goes on while a slow link brings one long message', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { silenceMs: 300 })
    await using link = await slowLink(server.port)
    using agent = new Agent(link)
    await agent.greet()
    const long = 'x'.repeat(1_000)
    agent.send(batch(1, 100, { fields: { text: long } }))
    expect(await agent.next()).toMatchObject({ type: 'ack', committed_seq: 100 })
  })

  it('goes on after the server stood still for longer than a node may be silent', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { silenceMs: 300 })
    using agent = new Agent(server)
    await agent.greet()
    const contact = () => once(server.registry.events, 'contact')
    // The second one is of a pong. After it, neither side reads, sends or counts.
    for (let heard = 0; heard < 2; heard++) await contact()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
    expect(await contact()).toEqual([1, true])
  })

  it('ends when the node is silent', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir, { silenceMs: 150 })
    using agent = new Agent(server)
    await agent.greet()
    const gone = new Promise<void>((resolve) => {
      server.registry.events.on('contact', (_, connected) => {
        if (!connected) resolve()
      })
    })
    // Reads nothing any more, and so answers no ping.
    agent.socket.pause()
    await gone
  })
})

describe('a node that brings too much', () => {
  it('is slowed down by what it sends, also when that is no whole message yet', async () => {
    await using folder = await makeFolder()
    const nodeRate = { burstBytes: 50_000, bytesPerHour: 3_600_000 }
    await using server = await startApp(folder.dir, { nodeRate })
    using agent = new Agent(server)
    await agent.greet()
    agent.socket.send('x'.repeat(100_000), { fin: false })
    const [client] = server.app.websocketServer.clients
    await expect.poll(() => client?.isPaused).toBe(true)
  })
})

describe('what is refused', () => {
  const cases = [
    ['anonymous', 1, 401],
    ['operator', 1, 403],
    ['node2', 1, 403],
  ] as const
  it.each(cases)('%s at node %i, with %i', async (token, nodeId, status) => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const { socket } = new Agent(server, token, nodeId)
    const refused = Promise.withResolvers<number | undefined>()
    socket.on('error', () => undefined)
    socket.on('unexpected-response', (request, response) => {
      refused.resolve(response.statusCode)
      request.destroy()
    })
    expect(await refused.promise).toBe(status)
  })

  const frames = [
    ['a batch before hello', batch(1, 1)],
    ['no frame', { type: 'bye' }],
    ['a record without a number', { ...batch(1, 1), records: [{ name: 'x' }] }],
    ['a record of an impossible number', { ...batch(1, 1), records: [{ seq: 1e300 }] }],
  ] as const
  it.each(frames)('%s', async (_, frame) => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await once(agent.socket, 'open')
    agent.send(frame)
    expect(await agent.closed).toBe(1002)
  })

  it('a batch of another spool, and a frame that is too large', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server)
    await agent.greet()
    agent.send({ ...batch(1, 1), spool: spool.replace('1', '2') })
    expect(await agent.closed).toBe(1002)
    using large = new Agent(server)
    await large.greet()
    large.socket.on('error', () => undefined)
    large.socket.send('x'.repeat(1024 * 1024 + 1))
    expect(await large.closed).toBe(1009)
  })
})
