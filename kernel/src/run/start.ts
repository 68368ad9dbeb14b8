import { randomBytes } from 'node:crypto'
import { LabError } from '@community-lab/contract'
import type { Session } from '../session.ts'
import type { SliceHandle } from '../sliver/slice-handle.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { packFiles } from '../ssh/archive.ts'
import { collectResults } from '../ssh/result.ts'
import { requireOk } from '../ssh/requirement.ts'
import { mapBounded } from '../wait/concurrency.ts'
import {
  runFolder,
  scriptName,
  scriptText,
  startCommand,
  wrapperName,
  wrapperText,
} from './program.ts'
import { Run } from './run.ts'

/** A program for slivers. */
export interface RunOptions {
  /** What to run: a shell script, or any other that names its interpreter in its first line (`#!`). Its folder is the current one. */
  readonly script: string
  /** Files to lay beside it, by their path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  readonly signal?: AbortSignal
}

/** Start one program on several slivers. See `Slice.run`. */
export function startRun(
  session: Session,
  slice: SliceHandle,
  options: RunOptions & { readonly name: string; readonly slivers: readonly Sliver[] },
): Promise<Run> {
  const { script, slivers, ...rest } = options
  return launchRun(session, slice, {
    ...rest,
    programs: slivers.map((sliver) => ({ sliver, script })),
    expectedMs: null,
  })
}

/** What {@link launchRun} starts. */
export interface Launch {
  readonly name: string
  readonly programs: readonly { readonly sliver: Sliver; readonly script: string }[]
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** How long it takes by itself, in milliseconds; null: unknown. */
  readonly expectedMs: number | null
  readonly signal?: AbortSignal
}

const concurrency = 64
const startTimeoutMs = 60_000

/**
 * Start a program on each sliver. When one cannot start it, the others are ended again.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a name; LAB_COMMAND_FAILED.
 */
export async function launchRun(
  session: Session,
  slice: SliceHandle,
  launch: Launch,
): Promise<Run> {
  const id = createRunId(launch.name)
  const slivers = launch.programs.map(({ sliver }) => sliver)
  const run = new Run(session, { id, slice, slivers, expectedMs: launch.expectedMs })
  const archives = new Map<string, Promise<Buffer>>()
  const packFor = (script: string): Promise<Buffer> => {
    const known = archives.get(script)
    if (known !== undefined) return known
    const files = {
      ...launch.files,
      [scriptName]: scriptText(script),
      [wrapperName]: wrapperText(id),
    }
    // One mode for all: files that come along are programs as often as not.
    const made = packFiles(files, 0o755)
    archives.set(script, made)
    return made
  }
  const command = startCommand(runFolder(id))
  const { signal } = launch
  const results = collectResults(
    await mapBounded(launch.programs, concurrency, async ({ sliver, script }) =>
      sliver.exec(command, {
        input: await packFor(script),
        timeoutMs: startTimeoutMs,
        ...(signal === undefined ? {} : { signal }),
      }),
    ),
  )
  if (!results.ok) await run.cancel()
  requireOk(results, `starting run ${id}`)
  return run
}

/** A run's id: its name, when it was started (UTC), and six random characters. */
function createRunId(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(name))
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: "a run's name",
      found: JSON.stringify(name),
      expected: 'letters, digits, dot, hyphen or underscore, at most 64',
    })
  const time = new Date().toISOString().replace(/[-:]|\.\d+/gu, '')
  return `${name}-${time}-${randomBytes(3).toString('hex')}`
}
