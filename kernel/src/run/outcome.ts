import { LabError, type Run as RunObject, type RunPart } from '@community-lab/contract'
import { formatTime } from '../display/time.ts'
import { asTable, type Column, type Shown } from '../display/table.ts'
import { describeRejections, type PartLosses, type Rejection } from './losses.ts'
import type { RemovedRows } from './removed-rows.ts'
import type { RunFile } from './run-file.ts'
import type { Silences } from './silence.ts'

/** Why a run has ended on a sliver: see {@link Outcome}. Written out, because the types of cells load no schemas. */
export type EndReason =
  'exited' | 'limit' | 'cancelled' | 'sliver_ended' | 'reset' | 'removed' | 'failed' | 'lost'

/** What became of a run on one sliver. */
export interface Outcome {
  /** The id of the sliver, and the name of its node. */
  readonly sliver: string
  readonly node: string
  /** `waiting`: it has not begun. */
  readonly state: 'waiting' | 'running' | 'ended'
  /** By the clock of its node; null: it has not begun. */
  readonly startedAt: Date | null
  /** null: it has not ended, or nobody knows when. */
  readonly endedAt: Date | null
  /** 128 + n: signal n ended it. null: it has not ended, or nobody knows. */
  readonly exitCode: number | null
  /**
   * Why it has ended. `exited`: by itself. `limit`: its time was over. `cancelled`. `sliver_ended`: its sliver ended. `reset`: its sliver was reset before it began.
   * `removed`: its sliver was removed, or its slice. `failed`: it could not be started. `lost`: the node lost its power, or what watched the program was killed. null: it has
   * not.
   */
  readonly reason: EndReason | null
  /** The same in words, where it has not ended by itself; what is known of it besides. */
  readonly message: string | null
  /** Whether it has ended and all its samples are at the server. */
  readonly isComplete: boolean
  /** Why nothing comes from it now: its node is offline, or its sliver does not run. null: it is complete, or no such reason is known. */
  readonly silence: string | null
  /** How many bytes of its output are kept, and how many more it has written. Known when it has ended. */
  readonly outputBytes: number
  readonly lostBytes: number
  /** How many lines of the sliver were not valid samples while it ran: those that name this run, and those that name none, also of other programs. Only `done()` knows it; null: not known. */
  readonly rejected: number | null
  /** The reasons, with the first rejected line of each. */
  readonly rejections: readonly Rejection[]
  /** How many lines of the sliver were lost while it ran because a buffer was full. Only `done()` knows it; null: not known. */
  readonly dropped: number | null
  /** The files that were to be kept and are not, with the reason. Only `done()` knows them. */
  readonly missingFiles: readonly { readonly path: string; readonly problem: string }[]
}

/** What became of a run on each sliver. A table in notebooks. */
export type Outcomes = Shown<Outcome> & {
  /** It has ended on every sliver by itself with exit code 0, no line was rejected or dropped, and all files that were to be kept are. */
  readonly ok: boolean
  /** Rows that the server has removed since the run began, because the slice keeps no more: those of this run may be among them. Only `done()` knows it; otherwise empty. */
  readonly removed: readonly RemovedRows[]
  /** Return these outcomes if it has ended on every sliver by itself with exit code 0. @throws {@link LabError} LAB_RUN_UNFINISHED, LAB_RUN_CUT_OFF, LAB_RUN_FAILED. */
  orThrow(): Outcomes
}

/** What is known of a run. */
export interface Known {
  readonly run: RunObject
  /** Whether the server does not know the run any more. */
  readonly isGone: boolean
  /** Whether all samples of a sliver are at the server, once it has ended there. */
  readonly hasLanded: (sliver: string) => boolean
  readonly silences?: Silences
  /** The lost lines of each sliver; null: not known. */
  readonly losses?: ReadonlyMap<string, PartLosses> | null
  /** What the server has removed since the run began. */
  readonly removed?: readonly RemovedRows[]
  /** The files that were to be kept; null: not known. */
  readonly files?: readonly RunFile[] | null
  /** How long the caller has waited, in milliseconds. */
  readonly waitedMs?: number
}

/** The reasons of an end that came from outside of the program and its run. */
const cutOff: ReadonlySet<EndReason | null> = new Set(['sliver_ended', 'reset', 'removed', 'lost'])

const wordsOf: Readonly<Record<EndReason, string | null>> = {
  exited: null,
  limit: 'its time was over',
  cancelled: 'it was cancelled',
  sliver_ended: 'its sliver ended',
  reset: 'its sliver was reset before it began',
  removed: 'its sliver was removed',
  failed: 'it could not be started',
  lost: 'its node lost its power, or what watched it was killed',
}

/** Tell what became of a run on each sliver. */
export function describeParts(known: Known): Outcomes {
  const outcomes = known.run.parts.map((part) => describePart(part, known))
  const shown = asTable(outcomes, () => outcomeColumns(outcomes))
  const described = Object.defineProperties(shown, {
    ok: { value: outcomes.every(isOk) },
    removed: { value: known.removed ?? [] },
    orThrow: {
      value: () => {
        requireEnded(known, outcomes)
        return described
      },
    },
  }) as Outcomes
  return described
}

function describePart(part: RunPart, known: Known): Outcome {
  const { exit_code: code, signal } = part
  const sliver = part.sliver.id
  const isEnded = part.state === 'ended' || known.isGone
  const isGone = isEnded && part.state !== 'ended'
  const reason = isGone ? 'removed' : part.reason
  const isComplete = isEnded && (isGone || known.hasLanded(sliver))
  const lost = known.losses?.get(sliver)
  const words = isGone
    ? 'its slice was released or has expired'
    : reason === null
      ? null
      : wordsOf[reason]
  return {
    sliver,
    node: part.node.name ?? String(part.node.id),
    state: isEnded ? 'ended' : part.state,
    startedAt: toDate(part.started_on),
    endedAt: toDate(part.ended_on),
    exitCode: code ?? (signal === null ? null : 128 + signal),
    reason,
    message: part.message ?? words,
    isComplete,
    silence: isComplete ? null : (known.silences?.get(sliver) ?? null),
    outputBytes: part.output_bytes,
    lostBytes: part.lost_bytes,
    rejected: lost?.rejected ?? null,
    rejections: lost?.rejections ?? [],
    dropped: lost?.dropped ?? null,
    missingFiles: (known.files ?? []).flatMap((file) =>
      file.sliver === sliver && file.problem !== null
        ? [{ path: file.path, problem: file.problem }]
        : [],
    ),
  }
}

function isOk(outcome: Outcome): boolean {
  const { rejected, dropped, missingFiles, isComplete } = outcome
  const hasAll = (rejected ?? 0) === 0 && (dropped ?? 0) === 0 && missingFiles.length === 0
  return isComplete && isFine(outcome) && hasAll
}

function isFine({ reason, exitCode }: Outcome): boolean {
  return reason === 'exited' && exitCode === 0
}

/** Return the slivers on which a run was cut off, in words. */
export function findCutOff(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes
    .filter(({ reason }) => cutOff.has(reason))
    .map(({ node, message }) => nameSilent(node, message))
}

function requireEnded(
  { run: { name: run }, waitedMs = 0 }: Known,
  outcomes: readonly Outcome[],
): void {
  const where = findCutOff(outcomes)
  const unfinished = outcomes.filter(({ isComplete }) => !isComplete)
  if (unfinished.length > 0) {
    const waiting = unfinished.map(({ node, silence }) => nameSilent(node, silence))
    throw new LabError('LAB_RUN_UNFINISHED', { run, waiting, waitedMs })
  }
  if (where.length > 0) throw new LabError('LAB_RUN_CUT_OFF', { run, where })
  const failed = outcomes.filter((outcome) => !isFine(outcome))
  if (failed.length > 0)
    throw new LabError('LAB_RUN_FAILED', {
      run,
      failed: failed.map(({ node, exitCode, message }) => ({
        node,
        exitCode,
        why: message ?? `exit code ${exitCode ?? 'unknown'}`,
      })),
    })
}

/** Name a node, with the reason why nothing comes from it. */
export function nameSilent(node: string, reason: string | null | undefined): string {
  return reason == null ? node : `${node} (${reason})`
}

/** Return the columns of a table of outcomes. */
export function outcomeColumns(outcomes: readonly Outcome[]): Column<Outcome>[] {
  const has = (test: (outcome: Outcome) => boolean): boolean => outcomes.some(test)
  return [
    { name: 'node', value: ({ node }) => node },
    { name: 'state', value: ({ state }) => state },
    { name: 'exit', value: ({ exitCode }) => exitCode },
    { name: 'started', value: ({ startedAt }) => startedAt },
    { name: 'ended', value: ({ endedAt }) => endedAt },
    ...(has(({ message }) => message !== null)
      ? [{ name: 'because', value: ({ message }: Outcome) => message ?? '' }]
      : []),
    ...(has(({ silence }) => silence !== null)
      ? [{ name: 'silent', value: ({ silence }: Outcome) => silence ?? '' }]
      : []),
    ...(has(({ rejected }) => (rejected ?? 0) > 0)
      ? [
          { name: 'lines rejected', value: ({ rejected }: Outcome) => rejected ?? 'not known' },
          { name: 'such as', value: ({ rejections }: Outcome) => describeRejections(rejections) },
        ]
      : []),
    ...(has(({ dropped }) => (dropped ?? 0) > 0)
      ? [{ name: 'lines dropped', value: ({ dropped }: Outcome) => dropped ?? 'not known' }]
      : []),
    ...(has(({ missingFiles }) => missingFiles.length > 0)
      ? [
          {
            name: 'files not kept',
            value: ({ missingFiles }: Outcome) =>
              missingFiles.map(({ path, problem }) => `${path}: ${problem}`).join('; '),
          },
        ]
      : []),
  ]
}

/** Describe the problems of an outcome. An exit code is none by itself, because its meaning depends on the program; see {@link describeExits}. */
export function describeProblems(outcome: Outcome): string[] {
  const { node, state, isComplete, silence, reason, message, rejected, dropped } = outcome
  const why = silence === null ? '' : `: ${silence}`
  const isOther = reason === 'failed' || cutOff.has(reason)
  return [
    ...(isComplete
      ? []
      : state === 'ended'
        ? [`the last samples of ${node} have not come${why}`]
        : [`${node} has not reported its end${why}; samples may be missing`]),
    ...(isOther ? [`${node}: ${message ?? String(reason)}`] : []),
    ...((rejected ?? 0) === 0
      ? []
      : [
          `${rejected === 1 ? '1 line of' : `${rejected} lines of`} ${node} ${rejected === 1 ? 'was no sample' : 'were no samples'} (${describeRejections(outcome.rejections)})`,
        ]),
    ...((dropped ?? 0) === 0 ? [] : [`${dropped} lines of ${node} were lost, a buffer was full`]),
    ...outcome.missingFiles.map(
      ({ path, problem }) => `the file ${path} of ${node} was not kept: ${problem}`,
    ),
  ]
}

/** Tell where programs have ended with an exit code and with output, which says why, or something else. */
export function describeExits(outcomes: readonly Outcome[]): string[] {
  const failed = outcomes.filter(
    ({ reason, exitCode, outputBytes }) => reason === 'exited' && exitCode !== 0 && outputBytes > 0,
  )
  return [...Map.groupBy(failed, ({ exitCode }) => exitCode)].map(([code, all]) => {
    const nodes = all.map(({ node }) => node)
    return `exit code ${code ?? 'unknown'} on ${nodes.join(', ')}; what the program said: await run.output('${nodes[0] ?? ''}')`
  })
}

/** Tell what the server has removed. */
export function describeRemoved(removed: readonly RemovedRows[]): string[] {
  if (removed.length === 0) return []
  const what = removed.map(
    ({ name, rows, until }) => `${rows} of ${name} up to ${formatTime(until)}`,
  )
  return [`the server has removed rows, because it keeps no more of the slice: ${what.join(', ')}`]
}

function toDate(time: string | null): Date | null {
  return time === null ? null : new Date(time)
}
