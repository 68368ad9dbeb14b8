import Type, { type Static } from 'typebox'
import { FieldValue } from './field-value.ts'

/**
 * The node's one open connection to the server: a WebSocket at `/api/nodes/{id}/ctl/stream`, JSON text frames, over the management network.
 *
 * The agent says `hello`; the server answers `welcome` with the last sequence number it has committed of that spool (0: none); the agent sends
 * `batch`es from the next one on, at most {@link maxUnackedRecords} unacknowledged; the server answers `ack` after it has committed, and never before.
 * `changed` is the hint: pull your target now. Where `welcome` says so, the agent also polls here: `look` names what it has, `seen` says whether that is still so.
 * Either side pings when nothing was heard for {@link streamPingMs}, and drops the connection after {@link streamSilenceMs}.
 */
export const streamSubprotocol = 'community-lab.stream.v1'
/** How many records may be on their way, unacknowledged. */
export const maxUnackedRecords = 20_000
/** The most records in one batch. */
export const maxBatchRecords = 2_000
/** How long a silent connection lives, in milliseconds. */
export const streamSilenceMs = 20_000
/** After how much silence a ping goes out, in milliseconds. A node that tells its health every 10 s is not silent, and no ping is needed. */
export const streamPingMs = 12_000

/**
 * One sample as it is spooled and sent: `seq` counts from 1 without a gap in its spool, `time_us` is the agent's clock in microseconds since the
 * epoch, `source` is a sliver's id or `node`.
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
/** A poll: the ETags of the target that the node has, and of the report that the server last took from it; null when it has none. */
export const Look = Type.Object({
  type: Type.Literal('look'),
  target: Type.Union([Type.String({ maxLength: 128 }), Type.Null()]),
  report: Type.Union([Type.String({ maxLength: 128 }), Type.Null()]),
})
export type Look = Static<typeof Look>
export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  spool: Type.String(),
  committed_seq: Type.Integer({ minimum: 0 }),
  /** Whether the server answers `look`. */
  looks: Type.Optional(Type.Boolean()),
})
export const Ack = Type.Object({
  type: Type.Literal('ack'),
  spool: Type.String(),
  committed_seq: Type.Integer({ minimum: 0 }),
})
export const Changed = Type.Object({ type: Type.Literal('changed') })
/** The answer to `look`: whether the target is still the one named, and whether the server has the report that was named. */
export const Seen = Type.Object({
  type: Type.Literal('seen'),
  target: Type.Boolean(),
  report: Type.Boolean(),
})
export type Seen = Static<typeof Seen>

/** What an agent sends. */
export const AgentFrame = Type.Union([Hello, Batch, Look])
export type AgentFrame = Static<typeof AgentFrame>

/** What a server sends. */
export const ServerFrame = Type.Union([Welcome, Ack, Changed, Seen])
export type ServerFrame = Static<typeof ServerFrame>
