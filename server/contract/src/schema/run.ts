import Type, { type Static } from 'typebox'
import { maxHelpCharacters, maxPointFields, maxPoints, maxUnitCharacters } from '../point/check.ts'
import type { PointKind } from '../point/field.ts'
import { Counter, Id, InputTime, nullable, Ref, Sha256, SliverRef, Time } from './common.ts'

/** The most programs of one run. */
const maxRunPrograms = 16
/** The most UTF-8 bytes of the programs of one run: scripts, arguments and environments. Its nodes get them with their targets. */
export const maxRunBytes = 65_536
/** The most bytes of the programs of all runs of one slice that have not ended. */
export const maxOpenRunBytes = 2 * maxRunBytes
/** The most runs of one slice that have neither ended nor been cancelled. */
export const maxOpenRuns = 8
/** The most runs of one slice that have not ended, also when they were cancelled: a node that is off has not ended them. */
export const maxUnendedRuns = 64
/** The most ended runs of one slice that are kept. The oldest go first. Their samples and outputs stay. */
export const maxEndedRuns = 200
/** The most bytes of output of one run on one sliver that are kept: the first ones. What comes later is counted. */
export const maxOutputBytes = 1024 * 1024
/** The most bytes of the files of one program, as a tar archive. They are a data archive of the group, which nodes download before they start the program. */
export const maxRunFilesBytes = 64 * 1024 * 1024
/** The most patterns of files that a program keeps. */
export const maxKeepPatterns = 16
/** The most files of one run on one sliver that are kept, and the most bytes of all of them together. */
export const maxKeptFiles = 64
export const maxKeptBytes = 32 * 1024 * 1024
/** The longest limit of a run's time, in milliseconds: 30 days. */
export const maxRunMs = 30 * 86_400_000

/** The name of a run, which is unique within its slice: letters, digits, dot, hyphen and underscore. */
export const RunName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', maxLength: 64 })

/** The id of a run: its name, the time when it was made (UTC) and twelve random hexadecimal digits. It is never used again, also not by a server that was restored from a backup. */
export const RunId = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}$',
  maxLength: 128,
})

const text = Type.String({ maxLength: 32_768, pattern: '^[^\\u0000]*$' })

const keepPattern =
  '^(?!/)(?!.*//)(?!.*\\*\\*)(?!(?:.*/)?\\.{1,2}(?:/|$))[^\\u0000-\\u001f\\u007f]*[^/\\u0000-\\u001f\\u007f]$'

/**
 * Files that a program makes, in its folder: a path, or a pattern of paths as a shell knows it (`*`, `?`, `[…]`). It leads to no other folder, and has no characters that no
 * terminal shows. Two asterisks, which in other tools are folders of any depth, are refused: a shell takes them as one, so files would be missing unnoticed.
 */
export const KeepPattern = Type.String({ pattern: keepPattern, minLength: 1, maxLength: 255 })

/** Tell whether a value is a {@link KeepPattern}. */
export function isKeepPattern(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 255) return false
  return new RegExp(keepPattern, 'u').test(value)
}

/**
 * A program. It has either a `script`, which is a shell script or names another interpreter in its first line (`#!`), or the `argv` of a program in the sliver.
 * `args` are the arguments of the script. The program runs as root of the sliver.
 */
export const RunProgram = Type.Object(
  {
    script: Type.Optional(
      Type.String({ minLength: 1, maxLength: maxRunBytes, pattern: '^[^\\u0000]*$' }),
    ),
    argv: Type.Optional(Type.Array(text, { minItems: 1, maxItems: 256 })),
    args: Type.Optional(Type.Array(text, { maxItems: 256 })),
    /** The SHA-256 of a data archive of the group, a tar file that is not compressed. It is unpacked into the program's folder before it begins. */
    files_sha256: Type.Optional(Sha256),
    /** The files in its folder that are kept when it has ended: they can be read like its output. */
    keep: Type.Optional(
      Type.Array(KeepPattern, { minItems: 1, maxItems: maxKeepPatterns, uniqueItems: true }),
    ),
    env: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }), text, {
        maxProperties: 100,
        additionalProperties: false,
      }),
    ),
  },
  { additionalProperties: false },
)
export type RunProgram = Static<typeof RunProgram>

/** A program, and the slivers of the slice that run it, by the ids of their nodes. A sliver runs one program of a run. */
export const PlacedProgram = Type.Object(
  {
    ...RunProgram.properties,
    on: Type.Array(Id, { minItems: 1, maxItems: 1000, uniqueItems: true }),
  },
  { additionalProperties: false },
)
export type PlacedProgram = Static<typeof PlacedProgram>

const pointKinds = [
  'seconds',
  'bytes',
  'ratio',
  'count',
  'integer',
  'number',
  'boolean',
  'text',
] as const satisfies readonly PointKind[]

/** A declared measurement of a run; see `point()`. `checkPoints` has the rest of what is required of it. */
export const RunPoint = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9_]{0,62}$' }),
    fields: Type.Record(
      Type.String({ pattern: '^[a-z][a-z0-9_]{0,62}$' }),
      Type.Object(
        {
          kind: Type.Enum(pointKinds),
          unit: nullable(Type.String({ minLength: 1, maxLength: maxUnitCharacters })),
          help: Type.String({ maxLength: maxHelpCharacters }),
          is_optional: Type.Boolean(),
        },
        { additionalProperties: false },
      ),
      { minProperties: 1, maxProperties: maxPointFields, additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export type RunPoint = Static<typeof RunPoint>

/** Start a run. Made again with the same name and the same members, it is the same run. */
export const RunCreate = Type.Object(
  {
    name: RunName,
    programs: Type.Array(PlacedProgram, { minItems: 1, maxItems: maxRunPrograms }),
    /** When it starts on all slivers, by the server's clock; null: as soon as each node knows of it. */
    start_at: Type.Optional(nullable(InputTime)),
    /** It is ended after this time, in milliseconds from its start on each sliver; null: not by time. */
    limit_ms: Type.Optional(nullable(Type.Integer({ minimum: 1000, maximum: maxRunMs }))),
    /** The measurements that its programs write, as declared; default: none is declared. */
    points: Type.Optional(Type.Array(RunPoint, { maxItems: maxPoints })),
  },
  { additionalProperties: false },
)
export type RunCreate = Static<typeof RunCreate>

/** The state of a run on one sliver. `waiting`: it has not begun there. */
export const RunState = Type.Enum(['waiting', 'running', 'ended'] as const)
export type RunState = Static<typeof RunState>

/**
 * Why a run has ended on a sliver. `exited`: the program ended by itself, or something in the sliver ended it. `limit`: its time was over. `cancelled`: a user
 * cancelled it. `sliver_ended`: the sliver ended, and the program with it. `reset`: the sliver that it was for was reset or updated before it began. `removed`:
 * the sliver was removed. `failed`: the node could not start it; `message` says why. `lost`: the process that watched the program was killed, or the node lost
 * its power; the exit status is not known.
 */
export const RunReason = Type.Enum([
  'exited',
  'limit',
  'cancelled',
  'sliver_ended',
  'reset',
  'removed',
  'failed',
  'lost',
] as const)
export type RunReason = Static<typeof RunReason>

/** What is known of a run on one sliver. */
export const runOutcome = {
  state: RunState,
  /** By the clock of the node; null: it did not begin. */
  started_on: nullable(InputTime),
  /** null: it has not ended, or nobody knows when. */
  ended_on: nullable(InputTime),
  /** null: it has not ended by itself, or is not known. */
  exit_code: nullable(Type.Integer({ minimum: 0, maximum: 255 })),
  /** The number of the signal that has ended it; null: none. */
  signal: nullable(Type.Integer({ minimum: 1, maximum: 64 })),
  reason: nullable(RunReason),
  message: nullable(Type.String({ maxLength: 1024 })),
  /** How many bytes of its output are kept. */
  output_bytes: Type.Integer({ minimum: 0, maximum: 2 ** 53 - 1 }),
  /** How many more it has written. */
  lost_bytes: Type.Integer({ minimum: 0, maximum: 2 ** 53 - 1 }),
  /** Whether a row of `run_end` follows its last sample. */
  has_end_row: Type.Boolean(),
}

/** What a node reports of a run on one of its slivers. */
export const RunReport = Type.Object({
  id: RunId,
  sliver: Type.String({ maxLength: 32 }),
  ...runOutcome,
})
export type RunReport = Static<typeof RunReport>

/** A run on one sliver. */
export const RunPart = Type.Object({
  sliver: SliverRef,
  node: Type.Object({ uri: Type.String(), id: Type.Integer(), name: nullable(Type.String()) }),
  /** The index of its program in {@link RunPrograms}. */
  program: Type.Integer(),
  ...runOutcome,
})
export type RunPart = Static<typeof RunPart>

/** A run: programs on slivers of a slice, and what became of them. It goes on without whoever started it. Members of the slice's group and operators can read it. */
export const Run = Type.Object(
  {
    uri: Type.String(),
    id: Type.String(),
    name: Type.String(),
    slice: Ref,
    group: Ref,
    created_by: nullable(Ref),
    created_on: Time,
    start_at: nullable(Time),
    limit_ms: nullable(Type.Integer()),
    cancelled_on: nullable(Time),
    /** When the last of its parts had ended, by the clock of the server; null: not all have. */
    ended_on: nullable(Time),
    parts: Type.Array(RunPart),
    /** Its declared measurements. A server that does not send them knows of none. */
    points: Type.Optional(Type.Array(RunPoint)),
  },
  { $id: 'Run' },
)
export type Run = Static<typeof Run>

/** The programs of a run. */
export const RunPrograms = Type.Object(
  {
    run: Type.Object({ uri: Type.String(), id: Type.String() }),
    programs: Type.Array(PlacedProgram),
  },
  { $id: 'RunPrograms' },
)
export type RunPrograms = Static<typeof RunPrograms>

/** The archive of a program's files. */
export const FilesTarget = Type.Object({
  uri: Type.String({ description: 'a path on the server' }),
  sha256: Sha256,
  size_bytes: Type.Integer({ minimum: 0 }),
})
export type FilesTarget = Static<typeof FilesTarget>

/** The target of a run on one sliver of a node. */
export const RunTarget = Type.Object({
  id: RunId,
  sliver: Type.String(),
  /** It belongs to this instance of the sliver. */
  slice_instance_sn: Counter,
  instance_sn: Counter,
  program: RunProgram,
  /** The archive of its files; null: it has none. */
  files: Type.Optional(nullable(FilesTarget)),
  start_at: nullable(InputTime),
  limit_ms: nullable(Type.Integer({ minimum: 1, maximum: maxRunMs })),
  is_cancelled: Type.Boolean(),
  /** Its declared measurements; see {@link RunCreate}. */
  points: Type.Optional(Type.Array(RunPoint)),
})
export type RunTarget = Static<typeof RunTarget>

/** A row of `run_output`, besides `run` and `sliver`: the bytes from `at_byte` on, as `text`, or as `base64` where they are no UTF-8. */
export const OutputRow = Type.Object({
  at_byte: Type.Integer(),
  text: Type.Optional(nullable(Type.String())),
  base64: Type.Optional(nullable(Type.String())),
})
export type OutputRow = Static<typeof OutputRow>

/** Return what the rows of a file's content have as their `run`, so that a reader gets those of one file alone. */
export function filePartsOf(run: string, sliver: string, file: number): string {
  return `${run}/${sliver}/${file}`
}
