import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:https'
import {
  nodeMeasurements,
  path,
  routes,
  streamSubprotocol,
  type SampleRecord,
  type ServerFrame,
} from '@community-lab/contract'
import WebSocket from 'ws'

const healthEveryMs = 10_000
const pollEveryMs = 60_000
const pingEveryMs = 5_000

/** The secret of a node's token. */
export function nodeSecret(nodeId: number | ''): string {
  return `cln_simulated-node-of-the-benchmark-${nodeId}`
}

/** A node as its server sees it: a stream with health, pings, and a poll of its target that mostly finds nothing new. */
export class SimulatedNode {
  readonly id: number
  acknowledged = 0
  readonly #port: number
  readonly #socket: WebSocket
  readonly #spool = randomUUID()
  readonly #timers: NodeJS.Timeout[] = []
  #seq = 0
  #etag = ''
  #onHint: (() => void) | null = null

  private constructor(port: number, id: number, socket: WebSocket) {
    this.#port = port
    this.id = id
    this.#socket = socket
    socket.on('message', (data: Buffer) =>
      this.#receive(JSON.parse(data.toString()) as ServerFrame),
    )
    socket.on('close', (code) => {
      if (this.#timers.length > 0) throw new Error(`node ${id}: the stream was closed with ${code}`)
    })
  }

  static async connect(port: number, id: number): Promise<SimulatedNode> {
    const url = `wss://[::1]:${port}${path(routes.nodeStream, { id: String(id) })}`
    const headers = { authorization: `Bearer ${nodeSecret(id)}` }
    const socket = new WebSocket(url, streamSubprotocol, {
      headers,
      perMessageDeflate: false,
      rejectUnauthorized: false,
    })
    await once(socket, 'open')
    const node = new SimulatedNode(port, id, socket)
    const welcomed = once(socket, 'message')
    node.#send({ type: 'hello', spool: node.#spool, first_seq: 1, soft_version: 'bench' })
    await welcomed
    return node
  }

  /** Do what nodes do, each from its own moment on. */
  begin(): void {
    this.#repeat(healthEveryMs, () => this.#sendHealth())
    this.#repeat(pollEveryMs, () => this.#poll())
    this.#repeat(pingEveryMs, () => this.#socket.ping())
  }

  /** Settles with the next hint. */
  hinted(): Promise<void> {
    return new Promise((resolve) => (this.#onHint = resolve))
  }

  leave(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer)
    this.#socket.terminate()
  }

  #repeat(everyMs: number, work: () => void): void {
    const first = setTimeout(() => {
      work()
      this.#timers.push(setInterval(work, everyMs))
    }, Math.random() * everyMs)
    this.#timers.push(first)
  }

  #receive(frame: ServerFrame): void {
    if (frame.type === 'changed') this.#onHint?.()
    else if (frame.type === 'ack') this.acknowledged = frame.committed_seq
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame))
  }

  /** The node's health and two interfaces, as its collectors measure them. */
  #sendHealth(): void {
    const records = ['node_health', 'node_network', 'node_network'].map((name): SampleRecord => {
      const declared = Object.entries(nodeMeasurements[name] ?? {})
      const fields = declared.map(([field, kind]) => [
        field,
        kind === 'text' ? 'eth0' : Math.random() * 1e6,
      ])
      const timeUs = Date.now() * 1000
      return {
        seq: ++this.#seq,
        time_us: timeUs,
        source: 'node',
        name,
        fields: Object.fromEntries(fields) as SampleRecord['fields'],
      }
    })
    this.#send({ type: 'batch', spool: this.#spool, records })
  }

  #poll(): void {
    const call = get({
      host: '::1',
      port: this.#port,
      path: path(routes.nodeTarget, { id: String(this.id) }),
      headers: {
        authorization: `Bearer ${nodeSecret(this.id)}`,
        ...(this.#etag === '' ? {} : { 'if-none-match': this.#etag }),
      },
      rejectUnauthorized: false,
    })
    call.on('response', (response) => {
      this.#etag = response.headers.etag ?? this.#etag
      response.resume()
    })
    // A poll that fails is repeated with the next.
    call.on('error', () => undefined)
  }
}
