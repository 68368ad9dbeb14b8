import Type, { type Static } from 'typebox'
import { FieldValue } from './field-value.ts'
import { maxShapeFields } from './stream/block.ts'

/**
 * The connection of a node to the server: a WebSocket at `/api/nodes/{id}/ctl/stream` with JSON text frames, over the management network.
 * Samples may also come in binary frames, if `welcome` names the version of their layout.
 *
 * The agent sends `hello`. The server answers `welcome` with the last sequence number of that spool that it has committed (0: none). The agent sends `batch`es
 * from the next number on, at most {@link maxUnackedRecords} unacknowledged. The server answers `ack` only after it has committed. `changed` is a hint to pull
 * the target now. Where `welcome` allows it, the agent also polls here: `look` names the versions that it has, and `seen` says whether they are current; and it
 * asks for the server's time: `time`, which is answered at once. Either
 * side pings after {@link streamPingMs} of silence, and closes the connection after {@link streamSilenceMs}.
 */
export const streamSubprotocol = 'community-lab.stream.v1'
/** The most records that are sent and not acknowledged. */
export const maxUnackedRecords = 20_000
/** The most records in one batch. */
export const maxBatchRecords = 2_000
/** A connection that is silent for longer is closed, in milliseconds. */
export const streamSilenceMs = 20_000
/** The most shapes that are defined on a connection at the same time. */
export const maxShapes = 1_024
/** The most bytes of their frames together. */
export const maxShapesBytes = 1024 * 1024
/** The silence after which a ping is sent, in milliseconds. A node that reports its health every 10 s needs no pings. */
export const streamPingMs = 12_000

/**
 * A sample as it is stored and sent: `seq` counts from 1 without a gap in its spool, `time_us` is the agent's clock in microseconds since the epoch, `source`
 * is the id of a sliver or `node`.
 */
export const SampleRecord = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  time_us: Type.Integer(),
  source: Type.String({ maxLength: 32 }),
  name: Type.String({ maxLength: 64 }),
  fields: Type.Record(Type.String({ maxLength: 64 }), FieldValue),
})
export type SampleRecord = Static<typeof SampleRecord>

export const Hello = Type.Object({
  type: Type.Literal('hello'),
  spool: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
  first_seq: Type.Integer({ minimum: 1 }),
  soft_version: Type.String(),
})
export const Batch = Type.Object({
  type: Type.Literal('batch'),
  spool: Type.String(),
  records: Type.Array(SampleRecord, { minItems: 1, maxItems: maxBatchRecords }),
})
/**
 * The shape of samples in blocks, see `stream/block.ts`. A block names it by its number, from the next frame on. A number may be defined again. Only for servers
 * whose `welcome` has `blocks`.
 */
export const ShapeFrame = Type.Object({
  type: Type.Literal('shape'),
  number: Type.Integer({ minimum: 0, maximum: maxShapes - 1 }),
  source: Type.String({ maxLength: 64 }),
  name: Type.String({ maxLength: 256 }),
  fields: Type.Array(
    Type.Tuple([
      Type.String({ maxLength: 256 }),
      Type.Union([
        Type.Literal('number'),
        Type.Literal('integer'),
        Type.Literal('text'),
        Type.Literal('boolean'),
      ]),
    ]),
    { maxItems: maxShapeFields },
  ),
})
export type ShapeFrame = Static<typeof ShapeFrame>

/** A poll: the ETags of the target that the node has, and of the last report that the server has accepted; null when there is none. */
export const Look = Type.Object({
  type: Type.Literal('look'),
  target: Type.Union([Type.String({ maxLength: 128 }), Type.Null()]),
  report: Type.Union([Type.String({ maxLength: 128 }), Type.Null()]),
})
export type Look = Static<typeof Look>
/** A question for the server's time. `sent_us` is the time of the agent's own clock, in microseconds; the answer repeats it. */
export const TimeAsked = Type.Object({ type: Type.Literal('time'), sent_us: Type.Integer() })
export type TimeAsked = Static<typeof TimeAsked>
export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  spool: Type.String(),
  committed_seq: Type.Integer({ minimum: 0 }),
  /** Whether the server answers `look`. */
  looks: Type.Optional(Type.Boolean()),
  /** Whether the server answers `time`. */
  times: Type.Optional(Type.Boolean()),
  /** The version of the layout of blocks that the server reads, {@link blockVersion}. Without it, or with an older one than its own, an agent sends `batch`. */
  blocks: Type.Optional(Type.Integer({ minimum: 1 })),
})
export const Ack = Type.Object({
  type: Type.Literal('ack'),
  spool: Type.String(),
  committed_seq: Type.Integer({ minimum: 0 }),
})
export const Changed = Type.Object({ type: Type.Literal('changed') })
/** The answer to `look`: whether the named target is current, and whether the server has the named report. */
export const Seen = Type.Object({
  type: Type.Literal('seen'),
  target: Type.Boolean(),
  report: Type.Boolean(),
})
export type Seen = Static<typeof Seen>

/**
 * The server's time, in microseconds since the epoch: `server_us` has steps of `resolution_us`, and is rounded down.
 */
export const TimeAnswered = Type.Object({
  type: Type.Literal('time'),
  sent_us: Type.Integer(),
  server_us: Type.Integer(),
  resolution_us: Type.Number({ minimum: 0 }),
})
export type TimeAnswered = Static<typeof TimeAnswered>

/** A message of an agent. */
export const AgentFrame = Type.Union([Hello, Batch, ShapeFrame, Look, TimeAsked])
export type AgentFrame = Static<typeof AgentFrame>

/** A message of a server. */
export const ServerFrame = Type.Union([Welcome, Ack, Changed, Seen, TimeAnswered])
export type ServerFrame = Static<typeof ServerFrame>
