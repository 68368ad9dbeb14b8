import { RunPoint, RunReason } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import type { Format } from '../disk/domain/format.ts'

const schema = Type.Object({
  id: Type.String(),
  sliver: Type.String(),
  /** When the record was first written, in milliseconds since the epoch. */
  recordedMs: Type.Number(),
  /** The run's cgroup; null: there is none. */
  cgroup: Type.Union([Type.String(), Type.Null()]),
  /** Why the agent has written down its end, because no supervisor has; null: it has not. */
  closed: Type.Union([
    Type.Object({ reason: RunReason, message: Type.Union([Type.String(), Type.Null()]) }),
    Type.Null(),
  ]),
  /** Whether all of its output is in the spool. Then its output is not on the disk any more. */
  isSent: Type.Boolean(),
  /** How many bytes of its output were kept, once all are in the spool. */
  outputBytes: Type.Number(),
  /** The measurements that it declares: lines may be read long after its target is gone. Absent: none. */
  points: Type.Optional(Type.Array(RunPoint)),
  /** Whether the row of its end is in the spool. Absent: not yet, or its supervisor has written that row itself, as those of earlier versions did. */
  hasEndRow: Type.Optional(Type.Boolean()),
  /** The files that it keeps, and the instance of the sliver in which its program makes them. Absent: none. */
  keep: Type.Optional(
    Type.Object({
      patterns: Type.Array(Type.String()),
      sliceInstanceSn: Type.Number(),
      instanceSn: Type.Number(),
    }),
  ),
})
/** What the agent itself notes of a run. The rest is in the file `state`, which the run's supervisor writes. */
export type RunRecord = Static<typeof schema>

/** The format of `run.json` in the folder of a run. */
export const runRecordFormat: Format<typeof schema> = {
  what: "a run's record",
  version: 4,
  readableFrom: 1,
  schema,
  // Version 2 added `points`, version 3 `hasEndRow`, version 4 `keep`.
  migrations: [
    (document) => document,
    (document) => document,
    (document) => document,
    (document) => document,
  ],
}
