import { LabError } from '@community-lab/contract'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { SampleDatabase } from './database.ts'
import type { RunEnd, RunPart } from './end.ts'
import { describeRejections, lossesOf, readLosses, type Rejection } from './losses.ts'
import type { Silences } from './silence.ts'

/** What became of the part of a run on one sliver. */
export interface Outcome {
  readonly sliver: string
  readonly node: string
  /** `ended`: the part has ended, and all its samples are at the server. `unfinished`: that is not known. */
  readonly state: 'ended' | 'unfinished'
  /**
   * Why the end is not known: the node is offline, or the sliver was stopped, removed or started again. Null when the part has ended, or no such reason is
   * known.
   */
  readonly silence: string | null
  /** The exit code of the script. 128 + n: signal n ended it. Null: not known. */
  readonly exitCode: number | null
  /** How many lines of the sliver were not valid samples while the part ran, including lines of other programs. Null: not known. */
  readonly rejected: number | null
  /** The reasons, with the first rejected line of each. */
  readonly rejections: readonly Rejection[]
  /** How many lines of the sliver were lost while the part ran because a buffer was full. Null: not known. */
  readonly dropped: number | null
}

/** What became of each part of a run. A table in notebooks. */
export type Outcomes = Shown<Outcome> & {
  /** Every part has ended with exit code 0, and no line was rejected or dropped. */
  readonly ok: boolean
  /** Return these outcomes if every part has ended with exit code 0. @throws {@link LabError} LAB_RUN_UNFINISHED, LAB_RUN_CUT_OFF, LAB_RUN_FAILED. */
  orThrow(): Outcomes
}

/** Options of {@link collectOutcomes}. */
export interface OutcomeParts {
  readonly run: string
  readonly parts: readonly RunPart[]
  readonly end: RunEnd
  readonly silences: Silences
  readonly database: SampleDatabase
  /** How long the caller has waited, in milliseconds. */
  readonly waitedMs: number
}

/** Collect what is known of the parts of a run. */
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

/** Name a node whose part of a run has not reported its end, with the reason. */
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

/** Describe the problems of an outcome. An exit code is not one, because its meaning depends on the script. */
export function describeProblems({ node, state, silence, ...lost }: Outcome): string[] {
  const why = silence === null ? '' : `: ${silence}`
  return [
    ...(state === 'unfinished'
      ? [`${node} has not reported its end${why}; samples may be missing`]
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
