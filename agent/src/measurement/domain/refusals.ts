import {
  droppedMeasurement,
  rejectedMeasurement,
  withoutRun,
  type SampleRecord,
} from '@community-lab/contract'
import Type, { type Static } from 'typebox'

/** Lines of one sliver and run that were refused for one reason, and were not reported yet. */
export const Refusal = Type.Object({
  reason: Type.String(),
  /** The run that the lines name; null: any or none. Agents of before did not tell runs apart. */
  run: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  /** The number of lines; 0 when all of them were reported. */
  lines: Type.Integer({ minimum: 0 }),
  /** One of the lines, cut. */
  line: Type.String(),
  /** The time of the first of them, in microseconds since the epoch. */
  time_us: Type.Integer(),
  /** When this reason was last reported; null: never. */
  told_us: Type.Union([Type.Integer(), Type.Null()]),
})
export type Refusal = Static<typeof Refusal>

type Sample = Omit<SampleRecord, 'seq'>

/** The longest example of a refused line in a report, in characters. */
const maxExampleLength = 512
/** The most reasons, each of one run, that are counted separately at a time. Further ones are reported as {@link otherReasons}. */
export const maxReasons = 8
/** The reason that stands for further ones. */
export const otherReasons = 'refused for many different reasons at once; this is one of the lines'
/** The reason of lines that were lost because a buffer was full. They are reported as `dropped`. */
export const bufferFull = 'a buffer was full'
const gapUs = 1_000_000

/** Lines that are being refused. */
export interface RefusedLines extends Pick<Refusal, 'reason' | 'run' | 'lines' | 'time_us'> {
  /** Return one of them as text. It is called only when the line will be reported. */
  readonly line: () => string
}

/** Add lines that were refused or lost. */
export function addRefusal(refusals: readonly Refusal[], more: RefusedLines): readonly Refusal[] {
  if (more.lines === 0) return refusals
  const find = (reason: string, run: string | null): Refusal | undefined =>
    refusals.find((one) => one.reason === reason && (one.run ?? null) === run)
  const given = { reason: more.reason, run: more.run ?? null }
  const isKept =
    find(given.reason, given.run) !== undefined ||
    given.reason === bufferFull ||
    refusals.length < maxReasons
  const { reason, run } = isKept ? given : { reason: otherReasons, run: null }
  const before = find(reason, run)
  const { lines, time_us: timeUs } = more
  const first = (): Pick<Refusal, 'lines' | 'line' | 'time_us'> => {
    // A report that names a run is of its lines alone.
    const line = run === null ? withoutRun(more.line()) : more.line()
    return { lines, line: line.slice(0, maxExampleLength), time_us: timeUs }
  }
  if (before === undefined) return [...refusals, { reason, run, ...first(), told_us: null }]
  const after =
    before.lines === 0 ? { ...before, ...first() } : { ...before, lines: before.lines + lines }
  return refusals.map((one) => (one === before ? after : one))
}

/**
 * Report refused lines: a row for each reason and run, at most one per second. Returns the rows, and what is left to be reported later.
 * `all` reports everything at once, for the last time.
 */
export function tellRefusals(
  refusals: readonly Refusal[],
  {
    source,
    nowUs,
    all = false,
  }: { readonly source: string; readonly nowUs: number; readonly all?: boolean },
): { readonly samples: readonly Sample[]; readonly left: readonly Refusal[] } {
  const isRecent = ({ told_us: toldUs }: Refusal): boolean =>
    toldUs !== null && Math.abs(nowUs - toldUs) < gapUs
  const isDue = (one: Refusal): boolean => one.lines > 0 && (all || !isRecent(one))
  return {
    samples: refusals.filter(isDue).map((one) => toSample(one, source)),
    left: refusals
      .map((one) => (isDue(one) ? { ...one, lines: 0, line: '', told_us: nowUs } : one))
      .filter((one) => one.lines > 0 || isRecent(one)),
  }
}

function toSample({ reason, lines, line, time_us }: Refusal, source: string): Sample {
  return reason === bufferFull
    ? { time_us, source, name: droppedMeasurement, fields: { lines } }
    : { time_us, source, name: rejectedMeasurement, fields: { reason, lines, line } }
}
