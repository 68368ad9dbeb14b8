import { LabError, runOfLine } from '@community-lab/contract'
import type { SampleDatabase } from './database.ts'

/** Lines that were not valid samples. */
export interface Rejection {
  readonly reason: string
  readonly lines: number
  readonly line: string
}

/** The lines of a sliver that were lost during its part of a run. */
export interface PartLosses {
  readonly rejected: number
  readonly rejections: readonly Rejection[]
  readonly dropped: number
}

/** Lines of one sliver that were lost at one time. */
export interface Loss {
  readonly kind: 'rejected' | 'dropped'
  readonly sliver: string
  readonly lines: number
  readonly reason: string
  readonly line: string
}

/** Sum up the losses of a run on a sliver, without lines that name another run. `losses` are those of its time. */
export function lossesOf(
  losses: readonly Loss[],
  { run, sliver }: { readonly run: string; readonly sliver: string },
): PartLosses {
  const own = losses.filter(
    (loss) => loss.sliver === sliver && (runOfLine(loss.line) ?? run) === run,
  )
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

function groupRejections(losses: readonly Loss[]): Rejection[] {
  const groups = Map.groupBy(losses, ({ reason }) => reason)
  return [...groups].map(([reason, all]) => ({
    reason,
    lines: sumLines(all),
    line: all[0]?.line ?? '',
  }))
}

/** Read the losses in the time of a run from its database; null when the server cannot be reached. */
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
  const { sliver, lines, reason, line } = row
  return {
    kind,
    sliver: String(sliver),
    // An older agent writes one row for each line, without a count.
    lines: Number(lines ?? 1),
    reason: typeof reason === 'string' ? reason : '',
    line: typeof line === 'string' ? line : '',
  }
}

/** Describe the reasons in a few words, with an example of each. */
export function describeRejections(rejections: readonly Rejection[]): string {
  return rejections.map(({ reason, line }) => `${reason}: ${excerpt(line)}`).join('; ')
}

/** The most characters of a line that are shown. Escaping makes up to six characters of one, so the line is cut after that. */
const maxExcerpt = 80

/** Quote a line and cut it to the length that a sentence can hold. */
export function excerpt(line: string): string {
  const quoted = JSON.stringify(line)
  return quoted.length <= maxExcerpt ? quoted : `${quoted.slice(0, maxExcerpt - 1)}…`
}
