import { LabError } from '@community-lab/contract'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { rttProgram } from './rtt-program.ts'
import type { Run } from './run.ts'
import { chooseSlivers, launchRun } from './start.ts'

/** What to measure. */
export interface RttOptions {
  /** Slivers (or their nodes' names) that send probes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** Slivers that answer, given the same way; none is probed by itself. */
  readonly to: SliverOrNode | readonly SliverOrNode[]
  /** Between probes, in whole milliseconds: 2 to 3 600 000. */
  readonly everyMs: number
  /** For how long, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
  readonly signal?: AbortSignal
}

/** Start measuring round-trip times. See `Slice.measure`. */
export function measureRtt(
  session: Session,
  slice: SliceHandle,
  { name, ...options }: RttOptions & { readonly name: string; readonly signal: AbortSignal },
): Promise<Run> {
  const { everyMs, forMs, signal } = options
  requireRange('everyMs', everyMs, [2, 3_600_000])
  requireRange('forMs', forMs, [everyMs, 7 * 86_400_000])
  const sources = chooseSlivers(slice, options.from)
  const targets = chooseSlivers(slice, options.to)
  const count = Math.round(forMs / everyMs)
  const programs = sources.map((sliver) => {
    const peers = targets
      .filter((target) => target.id !== sliver.id)
      .map((target) => ({ name: target.node, address: target.address }))
    return { sliver, script: rttProgram({ peers, everyMs, count }), peers: peers.length }
  })
  const useful = programs.filter(({ peers }) => peers > 0)
  if (useful.length === 0)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'to',
      found: 'the same sliver as from',
      expected: 'another sliver',
    })
  return launchRun(session, slice, {
    name,
    programs: useful.map(({ sliver, script }) => ({ sliver, script })),
    expectedMs: forMs,
    signal,
  })
}

function requireRange(
  argument: string,
  value: number,
  [min, max]: readonly [number, number],
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument,
    found: String(value),
    expected: `a whole number of milliseconds from ${min} to ${max}`,
  })
}
