import { maxOpenRuns, type RunReason, type RunTarget } from '@community-lab/contract'
import type { SliverStatus } from './observed.ts'
import type { NodeWanted } from './wanted.ts'

/** A run on a sliver of this node, as its folder tells. */
export interface RunStatus {
  readonly id: string
  readonly sliver: string
  /** `waiting`: it may still be started. */
  readonly state: 'waiting' | 'running' | 'ended'
  /** Whether its supervisor, the process that starts and watches it, runs. */
  readonly isSupervised: boolean
  /** Whether the archive of its program's files is in its folder. */
  readonly hasFiles: boolean
  /** Whether its supervisor was told to end it. */
  readonly isCancelling: boolean
  /** Whether all of its output, and the files that it keeps, are in the spool. */
  readonly isSent: boolean
  /** The instance of the sliver in which it makes the files that it keeps, and whether they were taken out of it. null: it keeps none. */
  readonly keeps: {
    readonly sliceInstanceSn: number
    readonly instanceSn: number
    readonly areTaken: boolean
  } | null
  /** When its record was written, in milliseconds since the epoch. */
  readonly recordedMs: number
}

/** A step for a run, as data. */
export type RunStep =
  /** Begin to fetch the archive of its files, unless that goes on already. */
  | { readonly kind: 'fetch'; readonly target: RunTarget }
  /** Start its supervisor, which starts the program at its time. */
  | { readonly kind: 'supervise'; readonly target: RunTarget }
  /** Let its supervisor end it. */
  | { readonly kind: 'cancel'; readonly id: string }
  /** Write down that it has ended without a supervisor: it never began, or its supervisor was killed. Whatever is left of it is ended. */
  | {
      readonly kind: 'close'
      readonly id: string
      readonly sliver: string
      readonly reason: RunReason
    }
  /** Begin to take the files that it keeps out of its sliver, unless that goes on already. */
  | { readonly kind: 'collect'; readonly id: string }
  /** Write down that the files that it keeps cannot be had any more, and why. */
  | { readonly kind: 'miss'; readonly id: string; readonly why: string }
  /** Remove its folder. */
  | { readonly kind: 'forget'; readonly id: string }

/** The input of {@link planRuns}. */
export interface RunSituation {
  /** null: no target is known, and nothing is changed. */
  readonly target: NodeWanted | null
  readonly slivers: readonly SliverStatus[]
  readonly runs: readonly RunStatus[]
  /** The server's time, or the time by the node's clock while that is not known, in milliseconds since the epoch. */
  readonly nowMs: number
}

/** The steps, and the time in which another one is due; null: none is. */
export interface RunPlan {
  readonly steps: readonly RunStep[]
  readonly dueInMs: number | null
}

/** A supervisor is started so long before its program, in milliseconds: a supervisor needs memory, and programs of later days need not have one. */
export const superviseAheadMs = 60_000
/** The longest time until the next look at runs that wait, in milliseconds: somebody may set the node's clock, and the host may be suspended. */
const longestWaitMs = 30_000
/** The most ended runs of one sliver whose records are kept. Source: the contract's most ended runs of a slice. */
const maxEndedOfSliver = 200

/**
 * Plan the steps for the runs of a node. A run is started once: what has begun, or has ended, is never started again, whatever the target says, because a server
 * that was restored from a backup may ask for it again. A run belongs to the instance of the sliver for which it was made. One that the target does not have any
 * more is ended.
 */
export function planRuns({ target, slivers, runs, nowMs }: RunSituation): RunPlan {
  if (target?.runs === null || target === null) return { steps: [], dueInMs: null }
  const unsent = new Map<string, number>()
  for (const { sliver, state, isSent } of runs)
    if (state === 'ended' && !isSent) unsent.set(sliver, (unsent.get(sliver) ?? 0) + 1)
  const statuses = new Map(slivers.map((sliver) => [sliver.id, sliver]))
  const known = new Map(runs.map((run) => [run.id, run]))
  const wanted = new Map(target.runs.map((run) => [run.id, run]))
  const steps: RunStep[] = []
  let dueInMs: number | null = null
  for (const run of target.runs) {
    const own = known.get(run.id)
    if (own?.state === 'ended') continue
    const step =
      own?.state === 'running'
        ? planRunning(own, run.is_cancelled)
        : planWaiting(
            {
              ...{ run, own, target, sliver: statuses.get(run.sliver) },
              unsent: unsent.get(run.sliver) ?? 0,
            },
            nowMs,
          )
    if (typeof step === 'number') dueInMs = Math.min(step, dueInMs ?? Infinity)
    else if (step !== null) steps.push(step)
  }
  for (const run of runs) {
    if (wanted.has(run.id)) continue
    const step = run.state === 'ended' ? null : planRunning(run, true)
    if (step !== null) steps.push(step)
  }
  steps.push(...planFiles(runs, target, statuses), ...forget(runs, { wanted, statuses }))
  return { steps, dueInMs }
}

function planRunning(run: RunStatus, isUnwanted: boolean): RunStep | null {
  const { id, sliver, isSupervised, isCancelling } = run
  if (!isSupervised)
    return { kind: 'close', id, sliver, reason: run.state === 'running' ? 'lost' : 'cancelled' }
  return isUnwanted && !isCancelling ? { kind: 'cancel', id } : null
}

interface Waiting {
  readonly run: RunTarget
  readonly own: RunStatus | undefined
  readonly target: NodeWanted
  readonly sliver: SliverStatus | undefined
  /** How many ended runs of the sliver have output on the disk. */
  readonly unsent: number
}

/** Plan for a run that has not begun. Returns a number when nothing is to be done for so many milliseconds. */
function planWaiting(
  { run, own, target, sliver, unsent }: Waiting,
  nowMs: number,
): RunStep | number | null {
  const { id } = run
  const close = (reason: RunReason): RunStep | null =>
    own?.isSupervised === true
      ? planRunning(own, true)
      : { kind: 'close', id, sliver: run.sliver, reason }
  if (run.is_cancelled) return close('cancelled')
  const wanted = target.slivers.find((one) => one.id === run.sliver)
  if (wanted !== undefined && !isOf(run, wanted)) return close('reset')
  if (own?.isSupervised === true) return null
  if (target.node.set_state !== 'production' || sliver?.stage !== 'started') return null
  const isItsInstance =
    sliver.instanceSn === run.instance_sn && sliver.sliceInstanceSn === run.slice_instance_sn
  if (!isItsInstance) return null
  if (run.files != null && own?.hasFiles !== true) return { kind: 'fetch', target: run }
  // The disk has room for the output of so many runs of a sliver.
  if (unsent >= maxOpenRuns) return null
  const startMs = run.start_at === null ? nowMs : new Date(run.start_at).getTime()
  const aheadMs = startMs - superviseAheadMs - nowMs
  return aheadMs > 0 ? Math.min(aheadMs, longestWaitMs) : { kind: 'supervise', target: run }
}

/**
 * Plan what is done for the files of runs that have ended. They are taken once the sliver runs. The files of one run of a sliver are on the node's disk at a time; those of
 * the others are still in the sliver.
 */
function planFiles(
  runs: readonly RunStatus[],
  target: NodeWanted,
  statuses: ReadonlyMap<string, SliverStatus>,
): readonly RunStep[] {
  const ended = runs.filter(({ state, isSent, keeps }) => state === 'ended' && !isSent && keeps)
  const oldest = [...ended].sort((one, other) => one.recordedMs - other.recordedMs)
  return [...Map.groupBy(oldest, ({ sliver }) => sliver)].flatMap(([sliver, own]): RunStep[] => {
    const wanted = target.slivers.find((one) => one.id === sliver)
    const status = statuses.get(sliver)
    const due = own.filter(({ keeps }) => keeps?.areTaken === false)
    const steps = due.map(({ id, keeps, isSupervised }): RunStep | null => {
      const isThere =
        status?.sliceInstanceSn === keeps?.sliceInstanceSn &&
        status?.instanceSn === keeps?.instanceSn
      if (status === undefined) return { kind: 'miss', id, why: 'its sliver was removed' }
      if (!isThere) return { kind: 'miss', id, why: 'its sliver was reset' }
      // The last that a supervisor does is to remove the run's cgroup, which is made anew for this.
      if (status.stage === 'started') return isSupervised ? null : { kind: 'collect', id }
      const mayStart = wanted?.set_state === 'start' && target.node.set_state === 'production'
      return mayStart ? null : { kind: 'miss', id, why: 'its sliver does not run any more' }
    })
    const missed = steps.filter((step) => step?.kind === 'miss')
    const isBusy = own.some(({ keeps }) => keeps?.areTaken === true)
    const next = isBusy ? undefined : steps.find((step) => step?.kind === 'collect')
    return [...missed, ...(next === undefined ? [] : [next])]
  })
}

function isOf(
  run: RunTarget,
  sliver: { readonly slice_instance_sn: number; readonly instance_sn: number },
): boolean {
  return (
    run.slice_instance_sn === sliver.slice_instance_sn && run.instance_sn === sliver.instance_sn
  )
}

/** Forget the ended runs of slivers that are gone, and of the others the oldest when there are many. */
function forget(
  runs: readonly RunStatus[],
  {
    wanted,
    statuses,
  }: {
    readonly wanted: ReadonlyMap<string, RunTarget>
    readonly statuses: ReadonlyMap<string, SliverStatus>
  },
): readonly RunStep[] {
  const done = runs.filter(
    ({ id, state, isSent }) => state === 'ended' && isSent && !wanted.has(id),
  )
  return [...Map.groupBy(done, ({ sliver }) => sliver)].flatMap(([sliver, own]) => {
    const newest = [...own].sort((one, other) => other.recordedMs - one.recordedMs)
    const old = statuses.has(sliver) ? newest.slice(maxEndedOfSliver) : newest
    return old.map(({ id }) => ({ kind: 'forget', id }) as const)
  })
}
