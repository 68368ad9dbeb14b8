import {
  checkPoints,
  findContradiction,
  type Issue,
  type PlacedProgram,
  type RunCreate,
  type RunPoint,
} from '@community-lab/contract'

/** Count the UTF-8 bytes of the programs of a run: scripts, arguments and environments. */
export function countProgramBytes(programs: readonly PlacedProgram[]): number {
  const texts = programs.flatMap(({ script = '', argv = [], args = [], env = {}, keep = [] }) => [
    script,
    ...argv,
    ...args,
    ...keep,
    ...Object.entries(env).flat(),
  ])
  const encoder = new TextEncoder()
  return texts.reduce((sum, one) => sum + encoder.encode(one).length, 0)
}

/** What a run is checked against. */
export interface RunSurroundings {
  /** The nodes on which the slice has a sliver. */
  readonly nodeIds: ReadonlySet<number>
  readonly sliceEndsOn: Date
}

/** Find what a description of a run says that its schema cannot refuse. */
export function findRunIssues(
  { programs, points = [], start_at: startAt = null }: RunCreate,
  { nodeIds, sliceEndsOn }: RunSurroundings,
): readonly Issue[] {
  const issues: Issue[] = []
  const placed = new Map<number, number>()
  for (const [index, { script, argv, args, on }] of programs.entries()) {
    const pointer = `/programs/${index}`
    if ((script === undefined) === (argv === undefined))
      issues.push({ pointer, message: 'must have either a script or an argv' })
    if (script !== undefined && /^[^\n]*\r\n/u.test(script))
      issues.push({
        pointer: `${pointer}/script`,
        message: 'has line ends of Windows (CR LF), which no shell reads; write it with LF alone',
      })
    if (argv !== undefined && args !== undefined)
      issues.push({ pointer: `${pointer}/args`, message: 'is for a script; add it to argv' })
    for (const [at, nodeId] of on.entries()) {
      const first = placed.get(nodeId)
      const message = !nodeIds.has(nodeId)
        ? `is the id of no node on which the slice has a sliver`
        : first !== undefined
          ? `runs program ${first} already; a sliver runs one program of a run`
          : null
      if (message !== null) issues.push({ pointer: `${pointer}/on/${at}`, message })
      placed.set(nodeId, index)
    }
  }
  if (startAt !== null && new Date(startAt) >= sliceEndsOn)
    issues.push({
      pointer: '/start_at',
      message: `must be before the slice ends (${sliceEndsOn.toISOString()}); renew the slice first`,
    })
  const wrongPoints = checkPoints(points)
  if (wrongPoints !== null) issues.push({ pointer: '/points', message: wrongPoints })
  return issues.slice(0, 50)
}

/** Return the first member in which two descriptions of runs differ; null when they are alike. */
export function findOtherMember(
  wanted: RunCreate,
  known: Pick<RunCreate, 'programs' | 'start_at' | 'limit_ms' | 'points'>,
): 'programs' | 'start_at' | 'limit_ms' | 'points' | null {
  if (write(wanted.programs) !== write(known.programs)) return 'programs'
  if (timeOf(wanted.start_at) !== timeOf(known.start_at)) return 'start_at'
  if ((wanted.limit_ms ?? null) !== (known.limit_ms ?? null)) return 'limit_ms'
  return writePoints(wanted.points) === writePoints(known.points) ? null : 'points'
}

/** A point of an earlier run of the slice. */
export interface KnownPoint {
  readonly run: string
  readonly point: RunPoint
}

/** Find a point that contradicts one of an earlier run of the slice; null when there is none. */
export function findPointConflict(
  points: readonly RunPoint[],
  known: readonly KnownPoint[],
): { readonly point: string; readonly run: string; readonly reason: string } | null {
  for (const wanted of points)
    for (const { run, point } of known) {
      const reason = point.name === wanted.name ? findContradiction(wanted, point) : null
      if (reason !== null) return { point: wanted.name, run, reason }
    }
  return null
}

/** Write points so that those which are alike have the same text. The order of fields is that of columns, but no difference. */
function writePoints(points: readonly RunPoint[] = []): string {
  const byName = (one: readonly [string, ...unknown[]], other: readonly [string, ...unknown[]]) =>
    one[0] < other[0] ? -1 : 1
  const written = points.map(({ name, fields }): [string, unknown] => [
    name,
    Object.entries(fields)
      .map(([field, of]): [string, unknown] => [field, [of.kind, of.unit, of.help, of.is_optional]])
      .sort(byName),
  ])
  return JSON.stringify(written.sort(byName))
}

function timeOf(time: string | null | undefined): number | null {
  return time === null || time === undefined ? null : new Date(time).getTime()
}

/** Write programs so that those which are alike have the same text, whatever the order of their members. */
function write(programs: readonly PlacedProgram[]): string {
  return JSON.stringify(
    programs.map(({ script, argv, args = [], env = {}, files_sha256: files, keep, on }) => [
      script ?? null,
      argv ?? null,
      args,
      Object.entries(env).sort(([one], [other]) => (one < other ? -1 : 1)),
      [...on].sort((one, other) => one - other),
      // Programs of before files, and of before kept ones, are as they were.
      ...(files === undefined ? [] : [files]),
      ...(keep === undefined ? [] : [[...keep].sort()]),
    ]),
  )
}
