import { packFiles } from '@community-lab/contract/files'
import {
  checkPoints,
  isKeepPattern,
  LabError,
  maxKeepPatterns,
  maxRunFilesBytes,
  maxRunMs,
  type Point,
  type Run as RunObject,
  type RunCreate,
} from '@community-lab/contract'
import { createHash } from 'node:crypto'
import {
  abortSignal,
  anObject,
  checkArgument,
  checkOptions,
  date,
  environment,
  fileMap,
  programArgument,
  listOf,
  someOf,
  text,
  wholeNumber,
  words,
  type Kind,
} from '../argument.ts'
import { currentDisplay } from '../display/current.ts'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { uploadData } from '../sliver/upload-data.ts'
import { orAborted } from '../wait/signal.ts'
import { askForRun } from './ask-for-run.ts'
import { Run } from './run.ts'

/** A program of a run: a `script`, or the `argv` of a program that is in the sliver. */
export interface RunProgram {
  /** A shell script, or one that names another interpreter in its first line (`#!`). Its current folder is the folder of its files. */
  readonly script?: string
  readonly argv?: readonly (string | number | bigint | boolean)[]
  /** The slivers that run it, or the names of their nodes; default: all slivers of the slice. */
  readonly on?: SliverOrNode | readonly SliverOrNode[]
  /** The arguments of the script: `$1` and so on. */
  readonly args?: readonly (string | number | bigint | boolean)[]
  /** Variables to add to its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Files to put into its folder, by path; all of them executable. The nodes have them before the run starts. The same files are not sent again. At most 64 MiB. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /**
   * The files in its folder that are kept when it has ended, by path or pattern: `['capture.pcap', 'out/*.csv']`, at most 16. `run.files()` lists them and `run.file(path)` reads one, in any kernel. At most
   * 64 files and 32 MiB of a run on a sliver. What is missing or too large is told by `run.done()`.
   */
  readonly keep?: readonly string[]
}

/** When a run starts and ends, and what it measures. */
export interface RunTerms {
  /** When it starts on all slivers at once, by the server's clock; default: as soon as each can. A node that has had no contact with the server since it was started goes by its own clock. */
  readonly startAt?: Date
  /** It is ended after this time, in whole milliseconds from its start on each sliver, from 1000 on; default: not by time. */
  readonly limitMs?: number
  /** The measurements that the programs write, each made by `point(…)`. Their lines must fit, and their tables are there at once. */
  readonly points?: readonly Point[]
  readonly signal?: AbortSignal
}

/** A program, or several that make one run, such as a server on one sliver and a client on another. A sliver runs only one of them. */
export type RunOptions = RunTerms & (RunProgram | { readonly programs: readonly RunProgram[] })

/** A run with its name, which is unique within the slice. Asked for again with the same programs and times, it is the same run. */
export type NamedRunOptions = RunOptions & { readonly name: string }

/** The name of a run. Source: the contract's RunName. */
export const runName: Kind = {
  expected:
    'letters, digits, dot, hyphen or underscore, at most 64, with a letter or a digit first',
  is: (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(value),
}

const keepPatterns = someOf({
  expected:
    'a path or pattern below the folder of the program, such as out/*.csv; it does not begin with / or ./, and has no .., // or **',
  is: isKeepPattern,
})
const programKinds = {
  script: text,
  argv: someOf(programArgument),
  on: { expected: 'slivers or nodes', is: (value: unknown) => value !== null } satisfies Kind,
  args: listOf(programArgument),
  env: environment,
  files: fileMap,
  keep: {
    expected: `${keepPatterns.expected} and at most ${maxKeepPatterns}`,
    is: (value: unknown) =>
      keepPatterns.is(value) && Array.isArray(value) && new Set(value).size <= maxKeepPatterns,
  } satisfies Kind,
}
const runKinds = {
  name: runName,
  startAt: date,
  limitMs: wholeNumber(1000, maxRunMs, 'milliseconds'),
  points: listOf(anObject),
  signal: abortSignal,
}

/** Check the options of a run. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkRun(options: NamedRunOptions): void {
  const isSeveral = anObject.is(options) && 'programs' in options
  const programs = someOf(anObject)
  checkArgument('the options of run', options, anObject)
  checkArgument("the run's name", options.name, runName)
  checkOptions('run', options, { ...runKinds, ...(isSeveral ? { programs } : programKinds) })
  checkRunPoints(options.points ?? [])
  if (isSeveral) checkArgument('programs', options.programs, programs)
  for (const program of programsOf(options)) {
    if (isSeveral) checkOptions('a program', program, programKinds)
    const { script, argv } = program
    if (argv === undefined) checkArgument('script', script, words)
    else if (script !== undefined)
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'a program',
        found: 'both a script and an argv',
        expected: 'one of them',
      })
  }
}

function checkRunPoints(points: readonly Point[]): void {
  const reason = checkPoints(points)
  if (reason === null) return
  const expected = 'points that point(…) has made, each once'
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'the option points',
    found: `wrong (${reason})`,
    expected,
  })
}

function programsOf(options: RunOptions): readonly RunProgram[] {
  return 'programs' in options ? options.programs : [options]
}

/** What {@link startRun} starts. */
export type RunStart = NamedRunOptions & { readonly signal: AbortSignal }

/** Start a run, or find the one that was started with the same description. See `Slice.run`. */
export async function startRun<Tables extends object = object>(
  session: Session,
  slice: SliceHandle,
  options: RunStart,
): Promise<Run<Tables>> {
  const { name, startAt, limitMs, points, signal } = options
  const placed = programsOf(options).map(({ on, ...program }) => ({
    ...program,
    slivers: chooseSlivers(slice, on),
  }))
  requireOneEach(placed.flatMap(({ slivers }) => slivers))
  const archives = await packAll(name, placed, signal)
  const body: RunCreate = {
    name,
    programs: placed.map(({ slivers, files, script, argv, args, env, keep }) => {
      const archive = files === undefined ? undefined : archives.get(files)
      return {
        on: slivers.map(({ nodeId }) => nodeId),
        ...(script === undefined ? {} : { script }),
        ...(argv === undefined ? {} : { argv: argv.map(String) }),
        ...(args === undefined ? {} : { args: args.map(String) }),
        ...(env === undefined ? {} : { env: { ...env } }),
        ...(archive === undefined ? {} : { files_sha256: archive.sha256 }),
        ...(keep === undefined ? {} : { keep: [...new Set(keep)] }),
      }
    }),
    ...(startAt === undefined ? {} : { start_at: startAt.toISOString() }),
    ...(limitMs === undefined ? {} : { limit_ms: limitMs }),
    ...(points === undefined
      ? {}
      : { points: points.map((point) => ({ name: point.name, fields: { ...point.fields } })) }),
  }
  const object = await ask(session, slice, { body, archives: [...archives.values()], signal })
  if (object.ended_on !== null)
    currentDisplay().display({
      'text/plain': `run ${name} is the one that was started at ${object.created_on} by the same description, and has ended; for another one, choose another name`,
    })
  return new Run<Tables>(session, object)
}

interface Archive {
  readonly bytes: Buffer
  readonly sha256: string
}

/** Pack the files of each program, those that several programs have once. @throws {@link LabError} LAB_RUN_FILES_TOO_LARGE. */
async function packAll(
  run: string,
  programs: readonly Pick<RunProgram, 'files'>[],
  signal: AbortSignal,
): Promise<ReadonlyMap<object, Archive>> {
  const archives = new Map<object, Archive>()
  for (const { files } of programs) {
    if (files === undefined || archives.has(files)) continue
    // Many of them are programs.
    const packing = packFiles(files, { mode: 0o755, changedAt: new Date(0) })
    const bytes = await orAborted(packing, signal)
    if (bytes.length > maxRunFilesBytes) {
      const limitBytes = maxRunFilesBytes
      throw new LabError('LAB_RUN_FILES_TOO_LARGE', { run, bytes: bytes.length, limitBytes })
    }
    archives.set(files, { bytes, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  return archives
}

interface Asked {
  readonly body: RunCreate
  readonly archives: readonly Archive[]
  readonly signal: AbortSignal
}

/** Ask for a run. Archives that the server does not have are sent first. */
async function ask(
  session: Session,
  slice: SliceHandle,
  { body, archives, signal }: Asked,
): Promise<RunObject> {
  for (let sent = 0; ; sent++) {
    try {
      return await askForRun(session, { sliceId: slice.id, body, signal })
    } catch (error) {
      if (LabError.is(error, 'LAB_NOT_FOUND'))
        throw new LabError('LAB_SLICE_GONE', { slice: slice.name }, { cause: error })
      if (sent >= archives.length || !LabError.is(error, 'LAB_DATA_UNKNOWN')) throw error
      const { uri, uploads_uri: uploadsUri, sha256 } = error.details
      const archive = archives.find((one) => one.sha256 === sha256)
      if (archive === undefined) throw error
      await uploadData(session.http, archive, { uri, uploadsUri, slice: slice.name, signal })
    }
  }
}

/** Return the chosen slivers, each once; for undefined or the text `all`, every sliver. @throws {@link LabError} LAB_SLIVER_UNKNOWN. */
export function chooseSlivers(
  slice: SliceHandle,
  which: SliverOrNode | readonly SliverOrNode[] | undefined,
): readonly Sliver[] {
  if (which === undefined || which === 'all') return slice.slivers
  const all: readonly SliverOrNode[] = isList(which) ? which : [which]
  return [...new Set(all.map((each) => slice.sliver(each)))]
}

function isList(which: SliverOrNode | readonly SliverOrNode[]): which is readonly SliverOrNode[] {
  return Array.isArray(which)
}

/** Require that no sliver runs two programs, and that one runs any. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
function requireOneEach(slivers: readonly Sliver[]): void {
  const seen = new Set<string>()
  for (const sliver of slivers) {
    if (seen.has(sliver.id))
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'the programs of a run',
        found: `two for the sliver on ${sliver.node}`,
        expected: 'at most one for each sliver; start them from one script, or as two runs',
      })
    seen.add(sliver.id)
  }
  if (seen.size === 0)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'the programs of a run',
      found: 'none for any sliver',
      expected: 'one at least',
    })
}
