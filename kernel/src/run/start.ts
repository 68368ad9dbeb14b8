import { randomBytes } from 'node:crypto'
import { LabError } from '@community-lab/contract'
import {
  abortSignal,
  anObject,
  checkArgument,
  checkOptions,
  fileMap,
  listOf,
  programArgument,
  text,
  textMap,
  type Kind,
} from '../argument.ts'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { readSlivers } from '../sliver/read-slivers.ts'
import { runInside, type Sliver } from '../sliver/sliver.ts'
import { packFiles } from '@community-lab/contract/files'
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
import { latestEnd } from './end.ts'
import { Run } from './run.ts'
import type { DeclaredColumns } from './sample-tables.ts'

/** A program for slivers. */
export interface RunProgram extends ProgramInput {
  /** The script to run: a shell script, or one that names another interpreter in its first line (`#!`). Its current folder is the folder of its files. */
  readonly script: string
  /** The slivers that run it, or the names of their nodes; default: all slivers of the slice. */
  readonly on?: SliverOrNode | readonly SliverOrNode[]
  /** The arguments of the script: `$1` and so on. */
  readonly args?: readonly (string | number | bigint | boolean)[]
  /** Variables to add to its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Files to put beside the script, by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

/** A program, or several that make one run, such as a server on one sliver and a client on another. A sliver runs only one of them. */
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
  /** How long the program runs by itself, in milliseconds; null: not known. */
  readonly expectedMs: number | null
  /** The tables that the program is known to make. */
  readonly tables?: Readonly<Record<string, DeclaredColumns>>
  readonly signal: AbortSignal
}

const concurrency = 64
const startTimeoutMs = 60_000
/** How long a failed start tries to end the programs that it has started, in milliseconds. */
const undoTimeoutMs = 60_000
/** How long the failed call waits for this before it throws, in milliseconds. */
const undoWaitMs = 2_000

const programKinds = {
  script: text,
  on: { expected: 'slivers or nodes', is: (value: unknown) => value !== null },
  args: listOf(programArgument),
  env: textMap,
  files: fileMap,
}

/** Check the options of a run. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
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

/**
 * Start a program on each sliver. If one cannot be started, or the signal is aborted, the others are ended.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for an invalid name, or for two programs on one sliver; LAB_COMMAND_FAILED.
 */
export async function launchRun<Tables extends object>(
  session: Session,
  slice: SliceHandle,
  { name, programs, expectedMs, tables, signal }: Launch,
): Promise<Run<Tables>> {
  const id = createRunId(name)
  requireOneEach(programs.map(({ sliver }) => sliver))
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
    const parts = programs.map(({ sliver }, index) => {
      const startedS = Number(results[index]?.stdout)
      const sliverStartedOn = startedOn.get(sliver.id) ?? null
      return { sliver, startedS, sliverStartedOn, follows: latestEnd(session, sliver.id, startedS) }
    })
    return new Run<Tables>(session, { id, slice, parts, expectedMs, tables })
  } catch (error) {
    await undo(session, id, programs)
    throw error
  }
}

/** Read when each sliver of a slice was started, by id. Empty when the server does not answer, which does not stop the run. */
async function readStarts(
  session: Session,
  sliceId: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string | null>> {
  const slivers = await readSlivers(session, sliceId, signal).catch(() => [])
  return new Map(slivers.map(({ id, actual }) => [id, actual?.started_on ?? null]))
}

/**
 * End the programs that were started, after the start has failed or was interrupted. This goes on after the call has thrown. It gives up slivers that it cannot
 * reach in time.
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

/** Pack the archive of each program. Slivers that run the same program share one. */
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
    // All files are executable, because many of them are programs.
    const packed = withFiles.get(key) ?? packFiles({ ...files, ...own }, { mode: 0o755 })
    withFiles.set(key, packed)
    archives.set(program, await packed)
  }
  return archives
}

/** Require that no sliver runs two programs, and that one runs any. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function requireOneEach(slivers: readonly Sliver[]): void {
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

/** The name of a run. Source: the contract's RunName. */
export const runName: Kind = {
  expected:
    'letters, digits, dot, hyphen or underscore, at most 64, with a letter or a digit first',
  is: (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(value),
}

/** Make the id of a run: its name, its start time (UTC) and six random hexadecimal digits. */
function createRunId(name: string): string {
  checkArgument("a run's name", name, runName)
  const time = new Date().toISOString().replace(/[-:]|\.\d+/gu, '')
  return `${name}-${time}-${randomBytes(3).toString('hex')}`
}
