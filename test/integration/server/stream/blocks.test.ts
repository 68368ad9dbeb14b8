import { on, once } from 'node:events'
import {
  blockFrame,
  streamSubprotocol,
  writeBlocks,
  type FieldValue,
  type UnnumberedSample,
} from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { startApp, type TestApp } from '../telemetry/app.ts'
import { makeFolder, readAll, spool } from '../telemetry/world.ts'

/** A node's end of the stream that sends blocks. */
class Agent implements Disposable {
  readonly closed: Promise<readonly [code: number, reason: string]>
  readonly #socket: WebSocket
  readonly #messages: AsyncIterator<unknown>
  #seq = 0
  #shapes = 0

  constructor({ port }: Pick<TestApp, 'port'>, nodeId: number) {
    this.#socket = new WebSocket(
      `ws://127.0.0.1:${port}/api/nodes/${nodeId}/ctl/stream`,
      streamSubprotocol,
      { headers: { authorization: `Bearer node${nodeId}` } },
    )
    this.#messages = on(this.#socket, 'message')
    this.closed = once(this.#socket, 'close').then(([code, reason]) => [
      code as number,
      (reason as Buffer).toString(),
    ])
  }

  /** Say hello. Returns the number of the last sample that the server has. */
  async greet(): Promise<number> {
    await once(this.#socket, 'open')
    this.sendText({ type: 'hello', spool, first_seq: 1, soft_version: '1' })
    return Number((await this.next())['committed_seq'])
  }

  sendText(frame: object): void {
    this.#socket.send(JSON.stringify(frame))
  }

  sendBlock(firstSeq: number, block: Uint8Array): void {
    this.#socket.send(blockFrame(firstSeq, block))
  }

  /** Send samples as blocks, with new shapes. Settles when they are acknowledged. */
  async send(samples: readonly UnnumberedSample[], change: (block: Uint8Array) => void = () => {}) {
    const { shapes, blocks } = writeBlocks(samples)
    // Numbers are defined again, as an agent does that has had too many shapes.
    if (this.#shapes + shapes.length > 100) this.#shapes = 0
    for (const [at, shape] of shapes.entries())
      this.sendText({ type: 'shape', number: this.#shapes + at, ...shape })
    for (const block of blocks) {
      const view = new DataView(block.buffer, block.byteOffset)
      for (let section = 1; section <= view.getUint16(2, true); section++)
        view.setUint16(8 * section, view.getUint16(8 * section, true) + this.#shapes, true)
      change(block)
      this.sendBlock(this.#seq + 1, block)
      this.#seq += view.getUint16(0, true)
    }
    this.#shapes += shapes.length
    await this.#acknowledged()
  }

  /** Send samples as JSON, as older agents do. */
  async sendRecords(samples: readonly UnnumberedSample[]): Promise<void> {
    const records = samples.map((sample) => ({ seq: ++this.#seq, ...sample }))
    this.sendText({ type: 'batch', spool, records })
    await this.#acknowledged()
  }

  async #acknowledged(): Promise<void> {
    for (;;) if ((await this.next())['committed_seq'] === this.#seq) return
  }

  stopReading(): void {
    this.#socket.on('error', () => undefined)
    this.#socket.pause()
  }

  async next(): Promise<Record<string, unknown>> {
    const closed = this.closed.then(([code, reason]) => {
      throw new Error(`the stream was closed: ${code} ${reason}`)
    })
    const { value } = (await Promise.race([this.#messages.next(), closed])) as { value: [Buffer] }
    return JSON.parse(value[0].toString()) as Record<string, unknown>
  }

  [Symbol.dispose](): void {
    this.#socket.terminate()
  }
}

const value: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom<FieldValue>(
    { number: 'nan' },
    { number: '-inf' },
    { number: '123456789012345678' },
  ),
  fc.constantFrom('n1', 'a text that is longer than twelve bytes', ''),
  fc.boolean(),
)
const field = fc.constantFrom('rtt_s', 'lost', 'peer', 'run', 'Not A Name', 'seq')
const sample = (source: string): fc.Arbitrary<UnnumberedSample> =>
  fc.record({
    time_us: fc.oneof(
      { weight: 9, arbitrary: fc.nat(1e9) },
      { weight: 1, arbitrary: fc.constant(-1) },
    ),
    source: fc.oneof({ weight: 9, arbitrary: fc.constant(source) }, fc.constant('4@1')),
    name: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('rtt', 'loss') },
      fc.constant('No Name'),
    ),
    fields: fc.oneof(
      fc.record({ rtt_s: fc.nat(1000), peer: fc.constantFrom('n1', 'n2') }),
      fc.dictionary(field, value, { minKeys: 1, maxKeys: 4 }),
    ),
  })

describe('a node that asks and never reads the answers', () => {
  it('is cut off, before its answers fill the memory', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server, 1)
    await agent.greet()
    const cut = new AbortController()
    server.registry.events.on('contact', (_node, isConnected) => {
      if (!isConnected) cut.abort()
    })
    agent.stopReading()
    while (!cut.signal.aborted) {
      for (let n = 0; n < 2_000; n++) agent.sendText({ type: 'time', sent_us: n })
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
})

describe('samples in blocks', () => {
  it('become the same rows as the same samples in JSON, whatever they are', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const { telemetry } = server.app
    using one = new Agent(server, 1)
    using other = new Agent(server, 2)
    await Promise.all([one.greet(), other.greet()])
    const batches = fc.sample(fc.array(sample('3@1'), { minLength: 1, maxLength: 40 }), 30)
    for (const batch of batches) {
      await one.send(batch)
      // The same as node 2 has it. Its columns exist then, so nothing depends on who was first.
      await other.sendRecords(
        batch.map((each) => ({ ...each, source: each.source === '3@1' ? '3@2' : '4@2' })),
      )
    }
    for (const [name, scope] of [
      ['rtt', 'slice-3'],
      ['loss', 'slice-3'],
      ['rejected', 'slice-3'],
      ['rejected', 'node'],
    ] as const) {
      const rows = await readAll(telemetry, name, scope)
      const of = (node: string) =>
        rows
          .filter((row) => row['node'] === node)
          .sort((a, b) => Number(a['seq']) - Number(b['seq']))
          .map(({ node: _, node_id: __, sliver: ___, landed: ____, time, ...row }) =>
            // A time that is not valid is replaced by the server's.
            JSON.stringify({ ...row, time: String(time).startsWith('1970') ? time : null })
              .replaceAll('@2', '@1')
              .replaceAll('node 2', 'node 1'),
          )
      expect(of('n1')).toEqual(of('n2'))
      expect(of('n1').length).toBeGreaterThan(0)
    }
  })

  it('that cannot be read are told in a row, and the stream goes on', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server, 1)
    await agent.greet()
    const rtt = (n: number) => ({ time_us: n, source: '3@1', name: 'rtt', fields: { n } })
    await agent.send([rtt(1), rtt(2)])
    await agent.send([rtt(3), rtt(4), rtt(5)], (block) => (block[16] = 9))
    await agent.send([rtt(6)])
    const rows = await readAll(server.app.telemetry, 'rtt', 'slice-3')
    expect(rows.map(({ n, seq }) => [n, seq])).toEqual([
      [1, 1],
      [2, 2],
      [6, 6],
    ])
    expect(await readAll(server.app.telemetry, 'rejected')).toMatchObject([
      { lines: 3, reason: 'the block cannot be read: an encoding is not known' },
    ])
    agent.sendBlock(7, writeBlocks([rtt(7)]).blocks[0]?.fill(200, 8, 10) ?? new Uint8Array())
    expect(await agent.closed).toEqual([1002, 'shape 51400 was not defined'])
  })

  it('of a node that sends anything crash nothing, and are no rows of others', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const { telemetry } = server.app
    using honest = new Agent(server, 2)
    await honest.greet()
    let sent = 0
    const damaged = fc.record({
      batch: fc.array(sample('3@1'), { minLength: 1, maxLength: 20 }),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      part: fc.constantFrom(1, 1, 1, 0, 0.7, 2),
      ahead: fc.constantFrom(1, 1, 1, 0, -1, 2, 0.5, NaN),
    })
    await fc.assert(
      fc.asyncProperty(damaged, async ({ batch, changes, part, ahead }) => {
        using hostile = new Agent(server, 1)
        const committed = await hostile.greet()
        const { shapes, blocks } = writeBlocks(batch)
        for (const [number, shape] of shapes.entries())
          hostile.sendText({ type: 'shape', number, ...shape })
        for (const block of blocks) {
          for (const [at, byte] of changes) block[at % block.length] = byte
          const whole = new Uint8Array(Math.floor(part * block.length))
          whole.set(block.subarray(0, whole.length))
          hostile.sendBlock(committed + ahead, whole)
        }
        hostile.sendText({ type: 'time', sent_us: 1 })
        // It is answered, or closed with a reason.
        const answered = async (): Promise<unknown> => {
          for (;;) if ((await hostile.next())['type'] === 'time') return 'answered'
        }
        const closed = hostile.closed.then(([code]) => code)
        expect(await answered().catch(() => closed)).not.toBe(1006)
        sent++
        await honest.send([{ time_us: sent, source: '3@2', name: 'true', fields: { sent } }])
      }),
      { numRuns: 30 },
    )
    const rows = await readAll(telemetry, 'true', 'slice-3')
    expect(rows.map((row) => [row['node'], row['sent']])).toEqual(
      Array.from({ length: sent }, (_, at) => ['n2', at + 1]),
    )
    for (const name of ['rtt', 'loss']) {
      const nodes = (await readAll(telemetry, name, 'slice-3')).map(({ node }) => node)
      expect(new Set(nodes)).toEqual(new Set(['n1']))
      expect(await readAll(telemetry, name, 'slice-4')).toEqual([])
    }
  })

  it('are stored once when they come again, and from the middle of a block on', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    const rtt = (n: number) => ({ time_us: n, source: '3@1', name: 'rtt', fields: { n } })
    using agent = new Agent(server, 1)
    await agent.greet()
    await agent.sendRecords([rtt(1), rtt(2)])
    using again = new Agent(server, 1)
    await again.greet()
    await again.send([1, 2, 3, 4].map(rtt))
    const rows = await readAll(server.app.telemetry, 'rtt', 'slice-3')
    expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4])
  })

  it('with a field twice in a shape are refused: rows without a value would have had memory of others', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server, 1)
    await agent.greet()
    const fields = [
      ['rtt_s', 'number'],
      ['rtt_s', 'number'],
    ]
    agent.sendText({ type: 'shape', number: 0, source: '3@1', name: 'rtt', fields })
    expect(await agent.closed).toEqual([1002, 'shape 0 has a field twice'])
  })

  it('keep whole numbers whose column becomes one of integers in the same commit', async () => {
    await using folder = await makeFolder()
    await using server = await startApp(folder.dir)
    using agent = new Agent(server, 1)
    await agent.greet()
    const at = (bytes: FieldValue) => ({
      time_us: 1,
      source: '3@1',
      name: 'flow',
      fields: { bytes },
    })
    const large = { number: '18446744073709551615' }
    await agent.send([at(1)])
    await agent.send([at(2), at(3), at(large)])
    const rows = await readAll(server.app.telemetry, 'flow', 'slice-3')
    expect(rows.map(({ bytes }) => bytes)).toEqual([1, 2, 3, large])
  })
})
