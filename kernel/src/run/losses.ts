import { LabError } from '@community-lab/contract'
import type { SampleDatabase } from './database.ts'
import type { PartEnd, RunPart } from './end.ts'

/** Lines that were no samples. */
export interface Rejection {
  readonly reason: string
  readonly lines: number
  readonly line: string
}

/** What was lost of a sliver's lines while its part of a run was under way. */
export interface PartLosses {
  readonly rejected: number
  readonly rejections: readonly Rejection[]
  readonly dropped: number
}

/** Lines of one sliver that came to nothing at one time. */
export interface Loss {
  readonly kind: 'rejected' | 'dropped'
  readonly sliver: string
  readonly time: Date
  readonly lines: number
  readonly reason: string
  readonly line: string
}

/** What of the losses belongs to a part of a run: by its sliver, and by its time. */
export function lossesOf(losses: readonly Loss[], part: RunPart, end: PartEnd | null): PartLosses {
  const own = losses.filter((loss) => loss.sliver === part.sliver.id && isWithin(loss, part, end))
  const rejected = own.filter(({ kind }) => kind === 'rejected')
  const dropped = own.filter(({ kind }) => kind === 'dropped')
  return {
    rejected: sumLines(rejected),
    rejections: groupRejections(rejected),
    dropped: sumLines(dropped),
  }
}

function sumLines(losses: readonly Loss[]): number {
  return losses.reduce((lines, loss) => lines + loss.lines, 0)
}

function isWithin({ time }: Loss, { startedS }: RunPart, end: PartEnd | null): boolean {
  return time.getTime() >= startedS * 1000 && (end === null || time <= end.time)
}

function groupRejections(losses: readonly Loss[]): Rejection[] {
  const groups = Map.groupBy(losses, ({ reason }) => reason)
  return [...groups].map(([reason, all]) => ({
    reason,
    lines: sumLines(all),
    line: all[0]?.line ?? '',
  }))
}

/** Read what the nodes say that was lost of the slice's lines since the run began; null when the server cannot be asked. */
export async function readLosses(database: SampleDatabase): Promise<Loss[] | null> {
  try {
    const kinds = ['rejected', 'dropped'] as const
    const found = await Promise.all(
      kinds.map(async (kind) =>
        (await database.rowsAfter(kind, 0)).map((row) => toLoss(kind, row)),
      ),
    )
    return found.flat()
  } catch (error) {
    if (LabError.is(error)) return null
    throw error
  }
}

function toLoss(kind: Loss['kind'], row: Readonly<Record<string, unknown>>): Loss {
  const { sliver, time, lines, reason, line } = row
  return {
    kind,
    sliver: String(sliver),
    time: time instanceof Date ? time : new Date(Number.NaN),
    // A row of an older agent stands for one line.
    lines: Number(lines ?? 1),
    reason: typeof reason === 'string' ? reason : '',
    line: typeof line === 'string' ? line : '',
  }
}

/** Reasons in a few words, with an example of each. */
export function describeRejections(rejections: readonly Rejection[]): string {
  return rejections.map(({ reason, line }) => `${reason}: ${excerpt(line)}`).join('; ')
}

/** The most characters of a line that are shown. What cannot be printed takes up to six of them, so the line is cut after it was quoted. */
const maxExcerpt = 80

/** A line in quotes, cut to what fits into a sentence. */
export function excerpt(line: string): string {
  const quoted = JSON.stringify(line)
  return quoted.length <= maxExcerpt ? quoted : `${quoted.slice(0, maxExcerpt - 1)}…`
}
