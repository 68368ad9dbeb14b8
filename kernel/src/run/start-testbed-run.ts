import {
  checkPoints,
  LabError,
  path,
  routes,
  Run as RunObject,
  type Point,
  type RunCreate,
} from '@community-lab/contract'
import {
  abortSignal,
  anObject,
  checkArgument,
  checkOptions,
  date,
  environment,
  listOf,
  programArgument,
  someOf,
  wholeNumber,
  words,
  type Kind,
} from '../argument.ts'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import type { DeclaredColumns } from './sample-tables.ts'
import { chooseSlivers, requireOneEach, runName } from './start.ts'
import { TestbedRun } from './testbed-run.ts'

/** A program of a run of the testbed: a `script`, or the `argv` of a program that is in the sliver. */
export interface TestbedProgram {
  /** A shell script, or one that names another interpreter in its first line (`#!`). */
  readonly script?: string
  readonly argv?: readonly (string | number | bigint | boolean)[]
  /** The slivers that run it, or the names of their nodes; default: all slivers of the slice. */
  readonly on?: SliverOrNode | readonly SliverOrNode[]
  /** The arguments of the script: `$1` and so on. */
  readonly args?: readonly (string | number | bigint | boolean)[]
  /** Variables to add to its environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** A run of the testbed. */
export interface TestbedRunOptions {
  /** Its name, unique within the slice. Asked for again with the same programs and times, it is the same run. */
  readonly name: string
  /** A sliver runs only one of them. */
  readonly programs: readonly TestbedProgram[]
  /** When it starts on all slivers, by the clocks of their nodes; default: at once. */
  readonly startAt?: Date
  /** It is ended after this time, in whole milliseconds from its start on each sliver, from 1000 on; default: not by time. */
  readonly limitMs?: number
  /** The measurements that the programs write, each made by `point(…)`. Their lines must fit, and their tables are there at once. */
  readonly points?: readonly Point[]
  readonly signal?: AbortSignal
}

const programKinds = {
  script: words,
  argv: someOf(programArgument),
  on: { expected: 'slivers or nodes', is: (value: unknown) => value !== null } satisfies Kind,
  args: listOf(programArgument),
  env: environment,
}
const runKinds = {
  name: runName,
  programs: someOf(anObject),
  startAt: date,
  limitMs: wholeNumber(1000, 30 * 86_400_000, 'milliseconds'),
  points: listOf(anObject),
  signal: abortSignal,
}

/** Check the options of a run of the testbed. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkTestbedRun(options: TestbedRunOptions): void {
  checkOptions('run', options, runKinds)
  checkArgument('name', options.name, runKinds.name)
  checkArgument('programs', options.programs, runKinds.programs)
  checkRunPoints(options.points ?? [])
  for (const program of options.programs) {
    checkOptions('a program', program, programKinds)
    if ((program.script === undefined) === (program.argv === undefined))
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'a program',
        found: program.script === undefined ? 'neither a script nor an argv' : 'both',
        expected: 'either a script or an argv',
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

/** Start a run of the testbed, or find the one that was started with the same description. See `Slice.run`. */
export async function startTestbedRun<Tables extends object = object>(
  session: Session,
  slice: SliceHandle,
  {
    name,
    programs,
    startAt,
    limitMs,
    tables,
    points,
    signal,
  }: TestbedRunOptions & {
    /** The tables that the programs are known to make. */
    readonly tables?: Readonly<Record<string, DeclaredColumns>>
    readonly signal: AbortSignal
  },
): Promise<TestbedRun<Tables>> {
  const placed = programs.map(({ on, ...program }) => ({
    ...program,
    slivers: chooseSlivers(slice, on),
  }))
  requireOneEach(placed.flatMap(({ slivers }) => slivers))
  const body: RunCreate = {
    name,
    programs: placed.map(({ slivers, script, argv, args, env }) => ({
      on: slivers.map(({ nodeId }) => nodeId),
      ...(script === undefined ? {} : { script }),
      ...(argv === undefined ? {} : { argv: argv.map(String) }),
      ...(args === undefined ? {} : { args: args.map(String) }),
      ...(env === undefined ? {} : { env: { ...env } }),
    })),
    ...(startAt === undefined ? {} : { start_at: startAt.toISOString() }),
    ...(limitMs === undefined ? {} : { limit_ms: limitMs }),
    ...(points === undefined
      ? {}
      : { points: points.map(({ name, fields }) => ({ name, fields: { ...fields } })) }),
  }
  const url = path(routes.sliceRuns, { id: slice.id })
  const run = await session.http.ask(RunObject, url, { method: 'POST', body, signal })
  return new TestbedRun<Tables>(session, run, tables)
}
