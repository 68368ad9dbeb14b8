import { once } from 'node:events'
import {
  blockFrame,
  blockVersion,
  LabError,
  maxBatchRecords,
  maxUnackedRecords,
  numberShapes,
  ServerFrame,
  streamPingMs,
  streamSilenceMs,
  type AgentFrame,
} from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import type { WebSocket } from 'ws'
import type { Spool, StoredBlock } from '../spool/spool.ts'
import { createPolls, type Poll } from './poll.ts'
import { createTimeExchange, type StreamClock } from './time-exchange.ts'
import { createShapeNumbers } from './shape-numbers.ts'

const AnyFrame = Type.Object({ type: Type.String() })
const frameTypes: ReadonlySet<string> = new Set(
  ServerFrame.anyOf.map((frame) => frame.properties.type.const),
)

/** The longest time until the server answers a close, in milliseconds. */
const closeWithinMs = 500

/** Options of {@link runSession}. */
export interface SessionOptions {
  readonly spool: Spool
  readonly softVersion: string
  /** Called when the server has welcomed the node, with the function that polls over this connection; null when the server does not answer `look`. */
  readonly onWelcome: (poll: Poll | null) => void
  readonly onChanged: () => void
  /** Gets the server's time, where the server tells it. */
  readonly clock?: StreamClock | undefined
  readonly signal: AbortSignal
}

/**
 * Speak the node's stream on an open WebSocket until it ends: send hello, and after the welcome send the spool's samples and trim the spool when the server
 * acknowledges them. A busy server acknowledges late, or does not read its socket: then samples wait in the spool. Only samples that would survive a power cut
 * are sent. A connection that is silent for {@link streamPingMs} is pinged, and dropped after {@link streamSilenceMs}.
 * @throws {@link LabError} LAB_AGENT_STREAM_UNREADABLE when a message of the server is not of the protocol; the error of the socket's `error` event.
 */
export async function runSession(stream: WebSocket, options: SessionOptions): Promise<void> {
  const { spool, signal } = options
  let nextSeq: number | null = null
  let ackedSeq = 0
  let isSending = false
  /** Whether the server reads blocks. Older ones read records. */
  let readsBlocks = false
  let failure: Error | null = null

  function fail(error: unknown): void {
    failure ??= error instanceof Error ? error : new Error(String(error))
    stream.terminate()
  }

  function send(frame: AgentFrame): Promise<void> {
    return sendFrame(JSON.stringify(frame))
  }

  function sendFrame(frame: string | Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    stream.send(frame, (error) => {
      if (error instanceof Error) reject(error)
      else resolve(undefined)
    })
    return promise
  }

  /** Send all batches that may be sent, one at a time. Each waits until the socket has taken the previous one. */
  async function sendBatches(): Promise<void> {
    if (isSending) return
    isSending = true
    try {
      while (nextSeq !== null && stream.readyState === stream.OPEN) {
        const room = maxUnackedRecords - (nextSeq - 1 - ackedSeq)
        if (readsBlocks) {
          const blocks = spool.readBlocks(nextSeq, room)
          if (blocks.length === 0) return
          await sendBlocks(blocks)
          continue
        }
        const records = spool.read(nextSeq, Math.min(maxBatchRecords, room))
        const first = records[0]
        if (first === undefined) return
        nextSeq = first.seq + records.length
        await send({ type: 'batch', spool: spool.id, records })
      }
    } finally {
      isSending = false
    }
  }

  async function sendBlocks(blocks: readonly StoredBlock[]): Promise<void> {
    let sent: Promise<void> | null = null
    for (const { firstSeq, rows, shapes, bytes } of blocks) {
      const numbers = shapeNumbers.of(shapes)
      const frame = blockFrame(firstSeq, bytes)
      numberShapes(frame, numbers)
      nextSeq = firstSeq + rows
      sent = sendFrame(frame)
    }
    await sent
  }

  function pump(): void {
    sendBatches().catch(fail)
  }

  const shapeNumbers = createShapeNumbers((shape) => void send(shape).catch(fail))
  const polls = createPolls((look) => void send(look).catch(fail))
  const times =
    options.clock === undefined
      ? null
      : createTimeExchange(options.clock, (asked) => void send(asked).catch(fail))

  function welcome({
    committed_seq: committedSeq,
    looks: answersLooks,
    times: answersTimes,
    blocks,
  }: Extract<ServerFrame, { type: 'welcome' }>): void {
    if (spool.isOutrun(committedSeq)) {
      spool.renew()
      sayHello()
      return
    }
    readsBlocks = blocks !== undefined && blocks >= blockVersion
    ackedSeq = committedSeq
    spool.trim(committedSeq)
    // Of what was acknowledged before, a server that was restored from a backup may have less.
    nextSeq = Math.max(spool.keptSeq, committedSeq + 1)
    ackedSeq = nextSeq - 1
    options.onWelcome(answersLooks === true ? polls.now : null)
    if (answersTimes === true) times?.begin()
    pump()
  }

  function acknowledge(committedSeq: number): void {
    if (nextSeq === null || committedSeq >= nextSeq)
      throw new LabError('LAB_AGENT_STREAM_UNREADABLE', {
        found: `an ack of ${committedSeq}, which was not sent`,
      })
    ackedSeq = Math.max(ackedSeq, committedSeq)
    spool.trim(ackedSeq)
    pump()
  }

  function sayHello(): void {
    const { id, keptSeq } = spool
    const { softVersion } = options
    send({ type: 'hello', spool: id, first_seq: keptSeq, soft_version: softVersion }).catch(fail)
  }

  function receive(text: string): void {
    const frame = readFrame(text)
    if (frame === null) return
    if (frame.type === 'changed') options.onChanged()
    else if (frame.type === 'seen') polls.settle(frame)
    else if (frame.type === 'time') times?.take(frame)
    else if (frame.spool !== spool.id) return
    else if (frame.type === 'welcome') welcome(frame)
    else acknowledge(frame.committed_seq)
  }

  const silence = setTimeout(() => stream.terminate(), streamSilenceMs)
  const pinging = setTimeout(() => {
    stream.ping()
    pinging.refresh()
  }, streamPingMs)
  const heard = (): void => {
    silence.refresh()
    pinging.refresh()
  }
  let closing: NodeJS.Timeout | undefined
  const stop = (): void => {
    stream.close()
    closing = setTimeout(() => stream.terminate(), closeWithinMs)
  }
  const unsubscribe = spool.onAppend(pump)
  stream.on('message', (data: Buffer) => {
    heard()
    try {
      receive(data.toString())
    } catch (error) {
      fail(error)
    }
  })
  stream.on('ping', heard)
  stream.on('pong', heard)
  stream.on('error', fail)
  const closed = stream.readyState === stream.CLOSED ? null : once(stream, 'close')
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) stop()
    else sayHello()
    await closed
  } catch (error) {
    fail(error)
  } finally {
    clearTimeout(silence)
    clearTimeout(closing)
    clearTimeout(pinging)
    polls.settle(null)
    times?.end()
    unsubscribe()
    signal.removeEventListener('abort', stop)
  }
  if (!signal.aborted) rethrow(failure)
}

function rethrow(failure: Error | null): void {
  if (failure !== null) throw failure
}

/** Read a message of the server; null for a type that only newer agents know. @throws {@link LabError} LAB_AGENT_STREAM_UNREADABLE. */
function readFrame(text: string): ServerFrame | null {
  let frame: unknown = null
  try {
    frame = JSON.parse(text)
  } catch {
    // The error is thrown below, with the text.
  }
  if (Value.Check(ServerFrame, frame)) return frame
  if (Value.Check(AnyFrame, frame) && !frameTypes.has(frame.type)) return null
  throw new LabError('LAB_AGENT_STREAM_UNREADABLE', { found: JSON.stringify(text.slice(0, 80)) })
}
