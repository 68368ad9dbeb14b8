import {
  maxUnackedRecords,
  type Look,
  type SampleRecord,
  type Seen,
  type ServerFrame,
} from '@community-lab/contract'
import type { WebSocket } from '@fastify/websocket'
import { maybeSliceOfSource, placeFaulty, placeRecord } from '../telemetry/domain/placement.ts'
import type { TelemetryStore } from '../telemetry/store.ts'
import { isFaulty, readFrame, writeFrame, type FaultyRecord, type StreamFrame } from './frame.ts'
import type { StreamIntake } from './intake.ts'

/** Why the server ends a connection. Source: RFC 6455 §7.4; 4000 and up are ours. */
export const closeCodes = { protocol: 1002, failed: 1011, replaced: 4001 } as const

/** How long the other side may take to answer that a connection is closed, in milliseconds. */
const closeWithinMs = 1_000

/** Close a connection with a code and a reason of at most 123 bytes. One whose other side does not answer, or that is paused, is cut. */
export function closeStream(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason)
  const timer = setTimeout(() => socket.terminate(), closeWithinMs)
  socket.once('close', () => clearTimeout(timer))
}

/** Options of {@link serveStream}. */
export interface StreamOptions {
  readonly store: TelemetryStore
  readonly node: { readonly id: number; readonly name: string }
  /** Bounds what the stream has in memory. */
  readonly intake: StreamIntake
  /** The group of a slice; null when there never was such a slice. */
  sliceGroup(sliceId: number): Promise<number | null>
  /** Answer the node's poll. */
  look(has: Look): Promise<Omit<Seen, 'type'>>
  /** Called once, when the agent has been welcomed. */
  onWelcomed(): void
  onError(error: unknown): void
}

type StreamRecord = SampleRecord | FaultyRecord

/**
 * Serve a node's stream: hello and welcome, then batches, each acknowledged after its commit. Frames are taken in their order; batches are committed
 * together. The intake says when the connection is not read, so that the node waits.
 */
export function serveStream(socket: WebSocket, options: StreamOptions): void {
  const { store, node, intake, sliceGroup, look, onWelcomed, onError } = options
  const slices = new Map<number, boolean>()
  let spool: string | null = null
  let waitingRecords = 0
  let isLooking = false
  // Frames are taken one after the other.
  let taken: Promise<void> = Promise.resolve()

  function send(frame: ServerFrame): void {
    if (socket.readyState === socket.OPEN) socket.send(writeFrame(frame))
  }
  function refuse(reason: string): void {
    closeStream(socket, closeCodes.protocol, reason.replaceAll(/[^ -~]/gu, '?').slice(0, 120))
  }
  function fail(error: unknown): void {
    onError(error)
    closeStream(socket, closeCodes.failed, 'the server could not store this; come again')
  }

  async function learnSlices(records: readonly StreamRecord[]): Promise<void> {
    for (const source of new Set(records.map((record) => record.source))) {
      const slice = source === null ? null : maybeSliceOfSource(source, node.id)
      if (slice === null || slices.get(slice) === true) continue
      slices.set(slice, (await sliceGroup(slice)) !== null)
    }
  }

  async function welcome(frame: StreamFrame & { type: 'hello' }): Promise<void> {
    const start = { nodeId: node.id, node: node.name, spool: frame.spool }
    const committedSeq = await store.begin({ ...start, firstSeq: frame.first_seq })
    send({ type: 'welcome', spool: frame.spool, committed_seq: committedSeq, looks: true })
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
    // Not waited for here: the next batch may join the same commit.
    void store
      .append({ nodeId: node.id, node: node.name, spool: ofSpool, samples })
      .then(({ committedSeq, missingSeq }) => {
        // More may be committed, by a connection that this one replaced. An agent expects acknowledgements only of what it sent on this one.
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

  async function answerLook(frame: Look): Promise<void> {
    isLooking = true
    try {
      send({ type: 'seen', ...(await look(frame)) })
    } finally {
      isLooking = false
    }
  }

  function receive(frame: StreamFrame, release: () => void): void {
    if (frame.type === 'look') {
      release()
      if (isLooking) refuse('the look before is not answered yet')
      else answerLook(frame).catch(fail)
      return
    }
    if (frame.type === 'hello') {
      // Said again when the agent has begun a new spool.
      spool = frame.spool
      taken = taken
        .then(() => welcome(frame))
        .catch(fail)
        .finally(release)
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
    taken = taken
      .then(() => take(frame, release))
      .catch((error: unknown) => {
        release()
        fail(error)
      })
  }

  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return
    const bytes = data as Buffer
    const release = intake.take(bytes.length)
    const reading = isBinary
      ? { frame: null, reason: 'frames are text' }
      : readFrame(bytes.toString())
    if (reading.frame === null) {
      release()
      refuse(reading.reason)
    } else receive(reading.frame, release)
  })
}
