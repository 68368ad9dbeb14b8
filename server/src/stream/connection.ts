import {
  blockVersion,
  LabError,
  maxUnackedRecords,
  type Look,
  type SampleRecord,
  type Seen,
  type ServerFrame,
  type ShapeFrame,
} from '@community-lab/contract'
import type { WebSocket } from '@fastify/websocket'
import { maxRoundRows, type BlockSource } from '../telemetry/append-groups.ts'
import { nodeScope } from '../telemetry/domain/name.ts'
import {
  findOwner,
  maybeSliceOfSource,
  placeFaulty,
  placeRecord,
} from '../telemetry/domain/placement.ts'
import type { TelemetryStore } from '../telemetry/store.ts'
import { createShapeBook, readBlockFrame, type BlockFrame } from './block-frame.ts'
import { isFaulty, readFrame, writeFrame, type FaultyRecord, type StreamFrame } from './frame.ts'
import type { StreamIntake } from './intake.ts'

/** The codes with which the server closes a connection. Source: RFC 6455 §7.4; codes from 4000 are for private use. */
export const closeCodes = { leaving: 1001, protocol: 1002, failed: 1011, replaced: 4001 } as const

/** The most bytes of answers that a node leaves unread: those of all records that it may send are fewer. */
const maxUnreadBytes = 4 * 1024 * 1024

/** The most time for the other side to answer a close frame, in milliseconds. */
const closeWithinMs = 1_000

/** Close a connection with a code and a reason of at most 123 bytes. The connection is cut when it is paused or the other side does not answer. */
export function closeStream(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason)
  const timer = setTimeout(() => socket.terminate(), closeWithinMs)
  socket.once('close', () => clearTimeout(timer))
}

/** Options of {@link serveStream}. */
export interface StreamOptions {
  readonly store: TelemetryStore
  readonly node: { readonly id: number; readonly name: string }
  /** Limits the memory of the stream. */
  readonly intake: StreamIntake
  /** Return the group of a slice; null when there never was such a slice. */
  sliceGroup(sliceId: number): Promise<number | null>
  /** Answer the node's poll. */
  poll(has: Look): Promise<Omit<Seen, 'type'>>
  /** Called once, after the agent got its `welcome`. */
  onWelcomed(): void
  onError(error: unknown): void
}

type StreamRecord = SampleRecord | FaultyRecord

/** The number of the last connection. Numbers are not used again, so that the store never takes the shapes of another one. */
let lastStream = 0

/**
 * Serve the stream of a node: first `hello` and `welcome`, then batches. Each batch is acknowledged after its commit. Frames are processed in their order, and
 * several batches may be committed together. While the intake pauses the connection, the node waits.
 */
export function serveStream(socket: WebSocket, options: StreamOptions): void {
  const { store, node, intake, sliceGroup, poll, onWelcomed, onError } = options
  const slices = new Map<number, boolean>()
  const stream = ++lastStream
  const shapes = createShapeBook(nodeScope)
  let spool: string | null = null
  let source: BlockSource | null = null
  let waitingRecords = 0
  /** Frames that wait for their turn. */
  let turns = 0
  let isPolling = false
  // Frames are processed one after the other.
  let taken: Promise<void> = Promise.resolve()

  function send(frame: ServerFrame): void {
    if (socket.readyState !== socket.OPEN) return
    // A node that asks and never reads would fill the memory with answers.
    if (socket.bufferedAmount > maxUnreadBytes) socket.terminate()
    else socket.send(writeFrame(frame))
  }
  function refuse(reason: string): void {
    closeStream(socket, closeCodes.protocol, reason.replaceAll(/[^ -~]/gu, '?').slice(0, 120))
  }
  function fail(error: unknown): void {
    onError(error)
    closeStream(socket, closeCodes.failed, 'the server could not store this; come again')
  }

  /** Process a frame after those before it. */
  function takeTurn(task: () => Promise<void> | void, onError: (error: unknown) => void): void {
    turns++
    taken = taken
      .then(task)
      .catch(onError)
      .finally(() => turns--)
  }

  async function learnSlices(records: readonly Pick<StreamRecord, 'source'>[]): Promise<void> {
    for (const from of new Set(records.map((record) => record.source))) {
      const slice = from === null ? null : maybeSliceOfSource(from, node.id)
      if (slice === null || slices.get(slice) === true) continue
      slices.set(slice, (await sliceGroup(slice)) !== null)
    }
  }

  async function welcome(frame: StreamFrame & { type: 'hello' }): Promise<void> {
    const start = { nodeId: node.id, node: node.name, spool: frame.spool }
    const committedSeq = await store.begin({ ...start, firstSeq: frame.first_seq })
    send({
      type: 'welcome',
      spool: frame.spool,
      committed_seq: committedSeq,
      looks: true,
      times: true,
      blocks: blockVersion,
    })
    onWelcomed()
  }

  async function take(
    { records, spool: ofSpool }: StreamFrame & { type: 'batch' },
    release: () => void,
  ): Promise<void> {
    await learnSlices(records)
    const context = {
      nodeId: node.id,
      nowUs: Date.now() * 1000,
      isSlice: (id: number) => slices.get(id) === true,
    }
    const samples = records.map((record) =>
      isFaulty(record) ? placeFaulty(record, context) : placeRecord(record, context),
    )
    // This does not wait, so that the next batch may join the same commit.
    void store
      .append({ nodeId: node.id, node: node.name, spool: ofSpool, samples })
      .then(({ committedSeq, missingSeq }) => {
        // More may be committed, by a connection that this one replaced. An agent expects acknowledgements only of records that it sent on this one.
        const ackedSeq = Math.min(committedSeq, records.at(-1)?.seq ?? 0)
        send({ type: 'ack', spool: ofSpool, committed_seq: ackedSeq })
        if (missingSeq !== null) refuse(`record ${missingSeq} is missing`)
      })
      .catch(fail)
      .finally(() => {
        waitingRecords -= records.length
        release()
      })
  }

  async function defineShape(frame: ShapeFrame): Promise<void> {
    await learnSlices([frame])
    const isSlice = (id: number): boolean => slices.get(id) === true
    const owner = findOwner(frame.source, { nodeId: node.id, isSlice })
    const { number, name, fields } = frame
    store.defineShape({ stream, number, shape: { source: frame.source, name, fields, owner } })
  }

  /** Let the store have a block. It does not wait, so that the next block may join the same commit. */
  function takeBlock(
    { firstSeq, rows, shapes: used, block }: BlockFrame,
    release: () => void,
  ): void {
    if (source === null) return
    const isRound = rows <= maxRoundRows && shapes.areOfNode(used)
    store.appendBlock(source, { firstSeq, rows, bytes: block, isRound, release })
  }

  /** Remember where blocks of a spool come from. */
  function sourceOf(ofSpool: string): BlockSource {
    return {
      nodeId: node.id,
      node: node.name,
      spool: ofSpool,
      stream,
      settle(blocks, result) {
        for (const { rows, release } of blocks) {
          waitingRecords -= rows
          release()
        }
        if (result instanceof LabError) {
          fail(result)
          return
        }
        const last = blocks.at(-1)
        const sentSeq = last === undefined ? 0 : last.firstSeq + last.rows - 1
        const ackedSeq = Math.min(result.committedSeq, sentSeq)
        send({ type: 'ack', spool: ofSpool, committed_seq: ackedSeq })
        if (result.missingSeq !== null) refuse(`record ${result.missingSeq} is missing`)
      },
    }
  }

  function receiveBlock(bytes: Buffer, release: () => void): void {
    const frame = readBlockFrame(bytes)
    const missing = 'reason' in frame ? null : shapes.missing(frame.shapes)
    const reason =
      'reason' in frame
        ? frame.reason
        : spool === null
          ? 'hello must come first'
          : missing === null
            ? null
            : `shape ${missing} was not defined`
    if ('reason' in frame || reason !== null) {
      release()
      refuse(reason ?? '')
      return
    }
    waitingRecords += frame.rows
    if (waitingRecords > maxUnackedRecords) {
      release()
      refuse(`more than ${maxUnackedRecords} records are not acknowledged`)
      return
    }
    if (turns === 0) takeBlock(frame, release)
    else takeTurn(() => takeBlock(frame, release), fail)
  }

  async function answerPoll(frame: Look): Promise<void> {
    isPolling = true
    try {
      send({ type: 'seen', ...(await poll(frame)) })
    } finally {
      isPolling = false
    }
  }

  function receive(frame: StreamFrame, bytes: number, release: () => void): void {
    if (frame.type === 'shape') {
      const excess = shapes.define(frame, bytes)
      // It counts until its turn is over: each may need a look into the database.
      if (excess === null) takeTurn(() => defineShape(frame).finally(release), fail)
      else {
        release()
        refuse(excess)
      }
      return
    }
    if (frame.type === 'look') {
      release()
      if (isPolling) refuse('the look before is not answered yet')
      else answerPoll(frame).catch(fail)
      return
    }
    if (frame.type === 'time') {
      release()
      const serverUs = Date.now() * 1000
      const { sent_us: sentUs } = frame
      send({
        type: 'time',
        sent_us: sentUs,
        server_us: serverUs,
        resolution_us: 1000,
      })
      return
    }
    if (frame.type === 'hello') {
      // The agent says `hello` again when it has begun a new spool.
      spool = frame.spool
      takeTurn(async () => {
        source = sourceOf(frame.spool)
        await welcome(frame).finally(release)
      }, fail)
      return
    }
    if (spool === null || frame.spool !== spool) {
      release()
      refuse(spool === null ? 'hello must come first' : 'this is of another spool than hello named')
      return
    }
    waitingRecords += frame.records.length
    if (waitingRecords > maxUnackedRecords) {
      release()
      refuse(`more than ${maxUnackedRecords} records are not acknowledged`)
      return
    }
    takeTurn(
      () => take(frame, release),
      (error) => {
        release()
        fail(error)
      },
    )
  }

  socket.once('close', () => takeTurn(() => store.endStream(stream), onError))

  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return
    const bytes = data as Buffer
    const release = intake.take(bytes.length)
    if (isBinary) {
      receiveBlock(bytes, release)
      return
    }
    const reading = readFrame(bytes.toString())
    if (reading.frame === null) {
      release()
      refuse(reading.reason)
    } else receive(reading.frame, bytes.length, release)
  })
}
