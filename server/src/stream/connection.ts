import {
  maxUnackedRecords,
  type AgentFrame,
  type SampleRecord,
  type ServerFrame,
} from '@community-lab/contract'
import type { WebSocket } from '@fastify/websocket'
import { maybeSliceOfSource, placeRecord } from '../telemetry/domain/placement.ts'
import type { TelemetryStore } from '../telemetry/store.ts'
import { readFrame, writeFrame } from './frame.ts'

/** Why the server ends a connection. Source: RFC 6455 §7.4; 4000 and up are ours. */
export const closeCodes = { protocol: 1002, failed: 1011, replaced: 4001 } as const

/** Options of {@link serveStream}. */
export interface StreamOptions {
  readonly store: TelemetryStore
  readonly node: { readonly id: number; readonly name: string }
  /** The group of a slice; null when there never was such a slice. */
  sliceGroup(sliceId: number): Promise<number | null>
  /** Called once, when the agent has been welcomed. */
  onWelcomed(): void
  onError(error: unknown): void
}

/**
 * Serve a node's stream: hello and welcome, then batches, each acknowledged after its commit. Frames are taken in their order; batches are committed
 * together. When too much waits for its commit the connection is not read, so that the node waits too.
 */
export function serveStream(socket: WebSocket, options: StreamOptions): void {
  const { store, node, sliceGroup, onWelcomed, onError } = options
  const slices = new Map<number, boolean>()
  let spool: string | null = null
  let waitingRecords = 0
  let lane: Promise<void> = Promise.resolve()

  function send(frame: ServerFrame): void {
    if (socket.readyState === socket.OPEN) socket.send(writeFrame(frame))
  }
  function refuse(reason: string): void {
    // A reason has at most 123 bytes.
    socket.close(closeCodes.protocol, reason.replaceAll(/[^ -~]/gu, '?').slice(0, 120))
  }
  function fail(error: unknown): void {
    onError(error)
    socket.close(closeCodes.failed, 'the server could not store this; come again')
  }

  async function learnSlices(records: readonly SampleRecord[]): Promise<void> {
    for (const source of new Set(records.map((record) => record.source))) {
      const slice = maybeSliceOfSource(source, node.id)
      if (slice === null || slices.get(slice) === true) continue
      slices.set(slice, (await sliceGroup(slice)) !== null)
    }
  }

  async function welcome(frame: AgentFrame & { type: 'hello' }): Promise<void> {
    const start = { nodeId: node.id, node: node.name, spool: frame.spool }
    const committedSeq = await store.begin({ ...start, firstSeq: frame.first_seq })
    send({ type: 'welcome', spool: frame.spool, committed_seq: committedSeq })
    onWelcomed()
  }

  async function take(records: readonly SampleRecord[], ofSpool: string): Promise<void> {
    await learnSlices(records)
    const context = {
      nodeId: node.id,
      nowUs: Date.now() * 1000,
      isSlice: (id: number) => slices.get(id) === true,
    }
    const samples = records.map((record) => placeRecord(record, context))
    // Not waited for here: the next batch may join the same commit.
    void store
      .append({ nodeId: node.id, node: node.name, spool: ofSpool, samples })
      .then(({ committedSeq, missingSeq }) => {
        // More may be committed, by a connection that this one replaced; an agent is told of what it sent on this one.
        const ackedSeq = Math.min(committedSeq, records.at(-1)?.seq ?? 0)
        send({ type: 'ack', spool: ofSpool, committed_seq: ackedSeq })
        if (missingSeq !== null) refuse(`record ${missingSeq} is missing`)
      })
      .catch(fail)
      .finally(() => {
        waitingRecords -= records.length
        if (waitingRecords < maxUnackedRecords) socket.resume()
      })
  }

  function receive(frame: AgentFrame): void {
    if (frame.type === 'hello') {
      // Said again when the agent has begun a new spool.
      spool = frame.spool
      lane = lane.then(() => welcome(frame)).catch(fail)
      return
    }
    if (spool === null || frame.spool !== spool) {
      refuse(spool === null ? 'hello must come first' : 'this is of another spool than hello named')
      return
    }
    const ofSpool = spool
    waitingRecords += frame.records.length
    if (waitingRecords >= maxUnackedRecords) socket.pause()
    lane = lane.then(() => take(frame.records, ofSpool)).catch(fail)
  }

  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return
    const reading = isBinary
      ? { frame: null, reason: 'frames are text' }
      : readFrame((data as Buffer).toString())
    if (reading.frame === null) refuse(reading.reason)
    else receive(reading.frame)
  })
}
