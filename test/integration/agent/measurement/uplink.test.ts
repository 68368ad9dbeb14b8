import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentFrame, maxUnackedRecords, type SampleRecord } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createUplink, type Uplink } from '../../../../agent/src/measurement/uplink/uplink.ts'

let dir = ''
let http: Server
let sockets: WebSocketServer
let spool: Spool
let uplink: Uplink | null = null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'uplink-'))
  spool = await openSpool(dir)
  http = createServer()
  sockets = new WebSocketServer({ server: http })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
})
afterEach(async () => {
  await uplink?.close()
  for (const socket of sockets.clients) socket.terminate()
  sockets.close()
  http.close()
  await spool.close()
  await rm(dir, { recursive: true })
})

async function openStream(signal: AbortSignal): Promise<WebSocket> {
  const { port } = http.address() as AddressInfo
  const stream = new WebSocket(`ws://127.0.0.1:${String(port)}/`)
  await once(stream, 'open', { signal })
  return stream
}

function connect(calls: { changed: number; connected: number }): Uplink {
  uplink = createUplink({
    spool,
    softVersion: '1.2.3',
    openStream,
    onChanged: () => calls.changed++,
    onConnected: () => calls.connected++,
    signal: new AbortController().signal,
  })
  return uplink
}

/** Connect. `connected` resolves when the server has welcomed the uplink. */
function connectOnce(): { readonly uplink: Uplink; readonly connected: Promise<undefined> } {
  const connected = Promise.withResolvers<undefined>()
  uplink = createUplink({
    spool,
    softVersion: '1',
    openStream,
    onChanged: () => undefined,
    onConnected: () => connected.resolve(undefined),
    signal: new AbortController().signal,
  })
  return { uplink, connected: connected.promise }
}

function appendCounts(from: number, count: number): void {
  const sampleOf = (value: number) => ({
    time_us: value,
    source: 'node',
    name: 'count',
    fields: { value },
  })
  spool.append(Array.from({ length: count }, (_, at) => sampleOf(from + at)))
}

/** A server that commits what comes next, and nothing else; `onBatch` may break things. */
function serve(
  onBatch: (socket: WebSocket, committed: readonly SampleRecord[]) => boolean,
  looks = true,
): {
  committed: SampleRecord[]
  hellos: AgentFrame[]
} {
  const state = { committed: [] as SampleRecord[], hellos: [] as AgentFrame[] }
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const frame: unknown = JSON.parse(data.toString())
      if (!Value.Check(AgentFrame, frame)) throw new TypeError(`no frame: ${data.toString()}`)
      if (frame.type === 'look') {
        socket.send(JSON.stringify({ type: 'seen', target: frame.target === '"1"', report: true }))
        return
      }
      if (frame.type === 'time') throw new TypeError('it was not offered')
      if (frame.type === 'shape') throw new TypeError('this server reads no blocks')
      const committedSeq = () => state.committed.at(-1)?.seq ?? 0
      const answer = (type: string) =>
        socket.send(
          JSON.stringify({ type, spool: frame.spool, committed_seq: committedSeq(), looks }),
        )
      if (frame.type === 'hello') {
        state.hellos.push(frame)
        answer('welcome')
        return
      }
      state.committed.push(...frame.records.filter(({ seq }) => seq > committedSeq()))
      if (onBatch(socket, state.committed)) answer('ack')
    })
  })
  return state
}

function trimmedTo(seq: number): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (spool.firstSeq <= seq) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = spool.onTrim(check)
    check()
  })
}

it('sends everything in order and trims the spool only as the server acknowledges', async () => {
  appendCounts(1, 5000)
  const state = serve(() => true)
  connect({ changed: 0, connected: 0 })
  await trimmedTo(5000)
  appendCounts(5001, 10)
  await trimmedTo(5010)
  expect(state.hellos).toEqual([
    { type: 'hello', spool: spool.id, first_seq: 1, soft_version: '1.2.3' },
  ])
  expect(state.committed.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 5010 }, (_, at) => at + 1),
  )
})

it('loses and doubles nothing while the connection breaks at random', async () => {
  const whole = 20_000
  let breaks = 0
  let batches = 0
  const state = serve((socket) => {
    // Every second batch, before or after its ack: by the batch's number, so that a failure can be repeated.
    batches++
    if (batches % 2 !== 0 || breaks >= 12) return true
    breaks++
    if (breaks % 2 === 0) socket.terminate()
    else setImmediate(() => socket.terminate())
    return breaks % 2 === 1
  })
  const calls = { changed: 0, connected: 0 }
  connect(calls)
  for (let from = 1; from <= whole; from += 100) {
    appendCounts(from, 100)
    if (from % 1000 === 1) await spool.sync()
  }
  await trimmedTo(whole)
  expect(breaks).toBeGreaterThan(4)
  expect(calls.connected).toBeGreaterThan(4)
  expect(state.committed.map(({ seq, fields }) => [seq, fields['value']])).toEqual(
    Array.from({ length: whole }, (_, at) => [at + 1, at + 1]),
  )
})

it('has no more than the agreed number of records on their way', async () => {
  appendCounts(1, maxUnackedRecords + 5000)
  await spool.sync()
  const full = Promise.withResolvers<undefined>()
  const state = serve((_socket, committed) => {
    if (committed.length >= maxUnackedRecords) full.resolve(undefined)
    return false
  })
  connect({ changed: 0, connected: 0 })
  await full.promise
  const [socket] = sockets.clients
  // A ping is answered after all that was sent before it.
  socket?.ping()
  if (socket !== undefined) await once(socket, 'pong')
  expect(state.committed).toHaveLength(maxUnackedRecords)
  socket?.send(JSON.stringify({ type: 'ack', spool: spool.id, committed_seq: maxUnackedRecords }))
  await trimmedTo(maxUnackedRecords)
})

it('passes the hint on, and comes back after the server says something it cannot read', async () => {
  serve(() => true)
  const calls = { changed: 0, connected: 0 }
  const again = Promise.withResolvers<undefined>()
  let connections = 0
  sockets.on('connection', (socket) => {
    socket.once('message', () => {
      socket.send(JSON.stringify({ type: 'changed' }))
      if (++connections === 1) socket.send('nonsense')
      else again.resolve(undefined)
    })
  })
  connect(calls)
  await again.promise
  appendCounts(1, 1)
  await trimmedTo(1)
  expect(calls.changed).toBe(2)
})

it('connects at once when the network is back: neither an attempt that hangs nor the wait before the next is sat out', async () => {
  serve(() => true)
  appendCounts(1, 3)
  let attempts = 0
  const started = createUplink({
    spool,
    softVersion: '1.2.3',
    openStream(signal) {
      attempts += 1
      if (attempts === 1) {
        setImmediate(() => started.noteReachable())
        return once(new EventEmitter(), 'open', { signal }) as Promise<never>
      }
      // Waiting after each of these would take 35 s or more.
      if (attempts < 10) return Promise.reject(new Error('the network is down'))
      return openStream(signal)
    },
    onChanged: () => undefined,
    onDisconnected() {
      if (attempts > 1) setImmediate(() => started.noteReachable())
    },
    signal: new AbortController().signal,
  })
  uplink = started
  await trimmedTo(3)
  expect(attempts).toBe(10)
})

it('begins a new spool when the server has more than it ever had', async () => {
  appendCounts(1, 3)
  const before = spool.id
  const fresh = Promise.withResolvers<AgentFrame>()
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const frame: unknown = JSON.parse(data.toString())
      if (!Value.Check(AgentFrame, frame) || frame.type !== 'hello') return
      const committedSeq = frame.spool === before ? 99 : 0
      socket.send(
        JSON.stringify({ type: 'welcome', spool: frame.spool, committed_seq: committedSeq }),
      )
      if (committedSeq === 0) fresh.resolve(frame)
    })
  })
  connect({ changed: 0, connected: 0 })
  expect(await fresh.promise).toMatchObject({ first_seq: 1, spool: spool.id })
  expect(spool.id).not.toBe(before)
})

it('goes on when a newer server sends frames of a kind that it does not know, and members that it does not', async () => {
  const calls = { changed: 0, connected: 0 }
  const state = serve((socket) => {
    socket.send(JSON.stringify({ type: 'weather', today: 'rain' }))
    socket.send(JSON.stringify({ type: 'changed', why: 'an upgrade' }))
    return true
  })
  appendCounts(1, 5)
  connect(calls)
  await trimmedTo(5)
  expect(state.hellos).toHaveLength(1)
  expect(calls).toEqual({ changed: 1, connected: 1 })
})

it('polls over its stream while that is open', async () => {
  serve(() => true)
  const { uplink, connected } = connectOnce()
  expect(await uplink.poll({ target: '"1"', report: null })).toBeNull()
  await connected
  expect(await uplink.poll({ target: '"1"', report: null })).toMatchObject({ target: true })
  expect(await uplink.poll({ target: '"2"', report: null })).toMatchObject({ target: false })
  await uplink.close()
  expect(await uplink.poll({ target: '"1"', report: null })).toBeNull()
})

it('does not poll over the stream of an older server', async () => {
  serve(() => true, false)
  const { uplink, connected } = connectOnce()
  await connected
  expect(await uplink.poll({ target: '"1"', report: null })).toBeNull()
})
