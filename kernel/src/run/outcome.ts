import { LabError } from '@community-lab/contract'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { SampleDatabase } from './database.ts'
import type { RunEnd, RunPart } from './end.ts'
import { describeRejections, lossesOf, readLosses, type Rejection } from './losses.ts'
import type { Silences } from './silence.ts'

/** What became of a sliver's part of a run. */
export interface Outcome {
  readonly sliver: string
  readonly node: string
  /** Whether it is known to have ended, with all its samples at the server. */
  readonly state: 'ended' | 'unfinished'
  /** Why its end is not known: its node is offline, or its sliver was stopped, removed or started again. Null when it has ended, or when no such reason is known. */
  readonly silence: string | null
  /** The script's exit code; 128 and more: the number of the signal that ended it, and 128. Null: not known. */
  readonly exitCode: number | null
  /** How many of the sliver's lines were no samples while it ran, of this run or not. Null: not known. */
  readonly rejected: number | null
  /** Why, with the first such line of each reason. */
  readonly rejections: readonly Rejection[]
  /** How many lines of the sliver were lost while it ran, since a buffer was full. Null: not known. */
  readonly dropped: number | null
}

/** What became of every sliver's part of a run, as a table. */
export type Outcomes = Shown<Outcome> & {
  /** Every part has ended, with exit code 0, and none of its lines was rejected or dropped. */
  readonly ok: boolean
  /** These outcomes, when every part has ended with exit code 0. @throws {@link LabError} LAB_RUN_UNFINISHED, LAB_RUN_CUT_OFF, LAB_RUN_FAILED. */
  orThrow(): Outcomes
}

/** What {@link collectOutcomes} puts together. */
export interface OutcomeParts {
  readonly run: string
  readonly parts: readonly RunPart[]
  readonly end: RunEnd
  readonly silences: Silences
  readonly database: SampleDatabase
  /** How long was waited, in milliseconds. */
  readonly waitedMs: number
}

/** Put together what is known of a run. */
export async function collectOutcomes(of: OutcomeParts): Promise<Outcomes> {
  const losses = await readLosses(of.database)
  const outcomes = of.parts.map((part): Outcome => {
    const { id: sliver, node } = part.sliver
    const end = of.end.of(sliver)
    const lost = losses === null ? null : lossesOf(losses, part, end)
    return {
      sliver,
      node,
      state: end === null ? 'unfinished' : 'ended',
      silence: end === null ? (of.silences.get(sliver)?.reason ?? null) : null,
      exitCode: end?.exitCode ?? null,
      rejected: lost?.rejected ?? null,
      rejections: lost?.rejections ?? [],
      dropped: lost?.dropped ?? null,
    }
  })
  const shown = asTable(outcomes, () => columnsFor(outcomes))
  const collected = Object.defineProperties(shown, {
    ok: { value: outcomes.every(isOk) },
    orThrow: {
      value: () => {
        requireEnded(of, outcomes)
        return collected
      },
    },
  }) as Outcomes
  return collected
}

function isOk({ exitCode, rejected, dropped }: Outcome): boolean {
  return exitCode === 0 && (rejected ?? 0) === 0 && (dropped ?? 0) === 0
}

function requireEnded(
  { run, waitedMs, silences }: OutcomeParts,
  outcomes: readonly Outcome[],
): void {
  const unfinished = outcomes.filter(({ state }) => state === 'unfinished')
  if (unfinished.length > 0) {
    const waiting = unfinished.map(({ node, silence }) => nameSilent(node, silence))
    throw unfinished.every(({ sliver }) => silences.get(sliver)?.isFinal)
      ? new LabError('LAB_RUN_CUT_OFF', { run, where: waiting })
      : new LabError('LAB_RUN_UNFINISHED', { run, waiting, waitedMs })
  }
  const failed = outcomes.filter(({ exitCode }) => exitCode !== 0)
  if (failed.length > 0)
    throw new LabError('LAB_RUN_FAILED', {
      run,
      failed: failed.map(({ node, exitCode }) => ({ node, exitCode: exitCode ?? 0 })),
    })
}

/** A node whose part of a run has not told of its end, and why. */
export function nameSilent(node: string, reason: string | null | undefined): string {
  return reason == null ? node : `${node} (${reason})`
}

function columnsFor(outcomes: readonly Outcome[]): Column<Outcome>[] {
  const hasLost = outcomes.some(({ dropped }) => dropped !== 0)
  const hasRejected = outcomes.some(({ rejected }) => rejected !== 0)
  return [
    { name: 'node', value: ({ node }) => node },
    { name: 'state', value: ({ state }) => state },
    { name: 'exit', value: ({ exitCode }) => exitCode },
    ...(outcomes.some(({ silence }) => silence !== null)
      ? [{ name: 'silent', value: ({ silence }: Outcome) => silence ?? '' }]
      : []),
    ...(hasRejected
      ? [
          { name: 'lines rejected', value: ({ rejected }: Outcome) => rejected ?? 'not known' },
          { name: 'because', value: ({ rejections }: Outcome) => describeRejections(rejections) },
        ]
      : []),
    ...(hasLost
      ? [{ name: 'lines dropped', value: ({ dropped }: Outcome) => dropped ?? 'not known' }]
      : []),
  ]
}

/** Say what is wrong with an outcome. An exit code is not: what it means depends on the script. */
export function describeTrouble({ node, state, silence, ...lost }: Outcome): string[] {
  const why = silence === null ? '' : `: ${silence}`
  return [
    ...(state === 'unfinished'
      ? [`${node} has not told of its end${why}; samples may be missing`]
      : []),
    ...(lost.rejected === 0 || lost.rejected === null
      ? []
      : [
          `${lost.rejected} lines of ${node} were no samples (${describeRejections(lost.rejections)})`,
        ]),
    ...(lost.dropped === 0 || lost.dropped === null
      ? []
      : [`${lost.dropped} lines of ${node} were lost, a buffer was full`]),
  ]
}
