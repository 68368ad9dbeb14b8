import { randomBytes } from 'node:crypto'
import { LabError } from '@community-lab/contract'
import {
  abortSignal,
  anObject,
  checkArgument,
  checkOptions,
  fileMap,
  listOf,
  text,
  textMap,
  type Kind,
} from '../argument.ts'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { readSlivers } from '../sliver/read-slivers.ts'
import { runInside, type Sliver } from '../sliver/sliver.ts'
import { packFiles } from '../ssh/archive.ts'
import { collectResults, requireOk } from '../ssh/result.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { orAborted } from '../wait/signal.ts'
import {
  cancelCommand,
  runFolder,
  scriptName,
  scriptText,
  startCommand,
  wrapperName,
  wrapperText,
  type ProgramInput,
} from './program.ts'
import { Run } from './run.ts'
import type { DeclaredColumns } from './sample-tables.ts'

/** A program for slivers. */
export interface RunProgram extends ProgramInput {
  /** What to run: a shell script, or any other that names its interpreter in its first line (`#!`). Its folder is the current one. */
  readonly script: string
  /** Slivers, or their nodes' names, that run it; default: all of the slice. */
  readonly on?: SliverOrNode | readonly SliverOrNode[]
  /** Its arguments, `$1` and so on. */
  readonly args?: readonly (string | number | boolean)[]
  /** Variables added to its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Files to lay beside it, by their path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

/** A program, or several that make one run: a server on one sliver and a client on another. No sliver runs two of them. */
export type RunOptions = (RunProgram | { readonly programs: readonly RunProgram[] }) & {
  readonly signal?: AbortSignal
}

/** A program on one sliver. */
export interface Launched extends Omit<RunProgram, 'on'> {
  readonly sliver: Sliver
}

/** What {@link launchRun} starts. */
export interface Launch {
  readonly name: string
  readonly programs: readonly Launched[]
  /** How long it takes by itself, in milliseconds; null: unknown. */
  readonly expectedMs: number | null
  /** The tables that it is known to make. */
  readonly tables?: Readonly<Record<string, DeclaredColumns>>
  readonly signal: AbortSignal
}

const concurrency = 64
const startTimeoutMs = 60_000
/** How long the programs of a run that did not start are looked for, in milliseconds. */
const undoTimeoutMs = 60_000
/** How long the call that failed waits for this clean-up before it throws, in milliseconds. */
const undoWaitMs = 2_000

const programKinds = {
  script: text,
  on: { expected: 'slivers or nodes', is: (value: unknown) => value !== null },
  args: listOf({
    expected: 'a text, number or boolean',
    is: (value) => ['string', 'number', 'boolean'].includes(typeof value),
  }),
  env: textMap,
  files: fileMap,
}

/** Check what a run is asked for. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkRun(options: RunOptions): void {
  const several = { programs: listOf(anObject), signal: abortSignal }
  const isSeveral = anObject.is(options) && 'programs' in options
  checkOptions('run', options, isSeveral ? several : { ...programKinds, signal: abortSignal })
  if (isSeveral) checkArgument('programs', options.programs, several.programs)
  for (const program of 'programs' in options ? options.programs : [options]) {
    if ('programs' in options) checkOptions('a program', program, programKinds)
    checkArgument('script', program.script, text)
  }
}

/** Start a run. See `Slice.run`. */
export function startRun(
  session: Session,
  slice: SliceHandle,
  options: RunOptions & { readonly name: string; readonly signal: AbortSignal },
): Promise<Run> {
  const { name, signal } = options
  const programs = 'programs' in options ? options.programs : [options]
  const launched = programs.flatMap(({ on, ...program }) =>
    chooseSlivers(slice, on).map((sliver) => ({ ...program, sliver })),
  )
  return launchRun(session, slice, { name, programs: launched, expectedMs: null, signal })
}

/** The slivers that are meant: each once; undefined or the text `all`: every one. @throws {@link LabError} LAB_SLIVER_UNKNOWN. */
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

/**
 * Start a program on each sliver. When one cannot start it, or the signal is aborted, the others are ended again.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a name and for two programs of one sliver; LAB_COMMAND_FAILED.
 */
export async function launchRun<Tables extends object>(
  session: Session,
  slice: SliceHandle,
  { name, programs, expectedMs, tables, signal }: Launch,
): Promise<Run<Tables>> {
  const id = createRunId(name)
  requireOneEach(programs)
  const archives = await packPrograms(id, programs)
  const command = startCommand(runFolder(id))
  try {
    const starts = readStarts(session, slice.id, signal)
    const results = collectResults(
      await mapBounded(programs, concurrency, (program) => {
        const input = archives.get(program)
        return runInside(program.sliver, command, {
          ...(input === undefined ? {} : { input }),
          timeoutMs: startTimeoutMs,
          signal,
        })
      }),
    )
    requireOk(results, `starting run ${id}`)
    const startedOn = await starts
    const parts = programs.map(({ sliver }, index) => ({
      sliver,
      startedS: Number(results[index]?.stdout),
      sliverStartedOn: startedOn.get(sliver.id) ?? null,
    }))
    return new Run<Tables>(session, { id, slice, parts, expectedMs, tables })
  } catch (error) {
    await undo(session, id, programs)
    throw error
  }
}

/** When each sliver of a slice was started, by its id. A run does without it where the server does not answer. */
async function readStarts(
  session: Session,
  sliceId: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string | null>> {
  const slivers = await readSlivers(session, sliceId, signal).catch(() => [])
  return new Map(slivers.map(({ id, actual }) => [id, actual?.started_on ?? null]))
}

/**
 * End the programs that were started, when the start has failed or was interrupted. This goes on after the call has thrown; slivers that cannot be reached in
 * time are left as they are.
 */
async function undo(session: Session, id: string, programs: readonly Launched[]): Promise<void> {
  const options = { timeoutMs: undoTimeoutMs, signal: session.signal }
  const command = cancelCommand(runFolder(id))
  const undone = mapBounded(programs, concurrency, ({ sliver }) =>
    // The lab may be closed by now. The caller gets the first error, not this one.
    runInside(sliver, command, options).catch(() => null),
  )
  await orAborted(undone, AbortSignal.timeout(undoWaitMs)).catch(() => null)
}

/** The archives that programs come in; slivers that run the same share one. */
async function packPrograms(
  id: string,
  programs: readonly Launched[],
): Promise<ReadonlyMap<Launched, Buffer>> {
  const shared = new Map<unknown, Map<string, Promise<Buffer>>>()
  const archives = new Map<Launched, Buffer>()
  for (const program of programs) {
    const { script, files } = program
    const own = { [scriptName]: scriptText(script), [wrapperName]: wrapperText(id, program) }
    const withFiles = shared.get(files) ?? new Map<string, Promise<Buffer>>()
    shared.set(files, withFiles)
    const key = JSON.stringify(own)
    // One mode for all: files that come along are programs as often as not.
    const packed = withFiles.get(key) ?? packFiles({ ...files, ...own }, 0o755)
    withFiles.set(key, packed)
    archives.set(program, await packed)
  }
  return archives
}

function requireOneEach(programs: readonly Launched[]): void {
  const seen = new Set<string>()
  for (const { sliver } of programs) {
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

const runName: Kind = {
  expected: 'letters, digits, dot, hyphen or underscore, at most 64',
  is: (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(value),
}

/** A run's id: its name, when it was started (UTC), and six random characters. */
function createRunId(name: string): string {
  checkArgument("a run's name", name, runName)
  const time = new Date().toISOString().replace(/[-:]|\.\d+/gu, '')
  return `${name}-${time}-${randomBytes(3).toString('hex')}`
}
