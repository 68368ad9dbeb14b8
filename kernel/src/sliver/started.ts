import {
  backoffMs,
  describeHold,
  isFailed,
  isReadable,
  LabError,
  Node as NodeObject,
  routes,
  Slice as SliceObject,
  Sliver as SliverObject,
} from '@community-lab/contract'
import Type from 'typebox'
import { abortSignal, durationMs } from '../argument.ts'
import { currentDisplay } from '../display/current.ts'
import { tableBundle } from '../display/table.ts'
import { readEvents } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import { anySignal, backoff, sleep, timeoutSignal } from '../wait/signal.ts'
import {
  connectSoon,
  describeState,
  isCurrent,
  sliverColumns,
  describeProblem,
  updateSliver,
  type Sliver,
} from './sliver.ts'

/** Options of a wait. */
export interface WaitOptions {
  /** The longest time to wait, in milliseconds; Infinity: no limit. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A slice whose slivers are waited for. */
export interface WaitedSlice {
  readonly id: number
  readonly name: string
  slivers(): readonly Sliver[]
  /** Read the state of the slice and its slivers from the server. */
  refresh(signal: AbortSignal): Promise<void>
  /** Store the state that the server has reported. */
  take(object: SliceObject): void
}

/** What the options of a wait can be. */
export const waitKinds = { timeoutMs: durationMs, signal: abortSignal }

const defaultTimeoutMs = 120_000
/** The longest time to look for the reasons of a wait that has ended, in milliseconds. */
const longestLookMs = 5_000
/** The most slivers that are connected to at the same time while others start. */
const connectingAtOnce = 64

/** Wait until each sliver of a slice has started or failed, and show their states meanwhile. See `Slice.started`. */
export async function waitStarted(
  session: Session,
  slice: WaitedSlice,
  {
    timeoutMs: waitedMs = defaultTimeoutMs,
    signal: caller,
  }: WaitOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const timeout = timeoutSignal(waitedMs)
  const begun = slice.slivers()
  const showProgress = createProgress(slice)
  const connect = createConnecting(slice)
  try {
    await followSlivers(session, slice, {
      signal: anySignal(caller, timeout ?? undefined),
      isDone: () => {
        showProgress()
        connect()
        return slice.slivers().every((sliver) => isSettled(sliver))
      },
    })
  } catch (error) {
    if (caller.aborted || timeout?.aborted !== true) throw error
    const waiting = slice.slivers().filter((sliver) => !isReady(sliver))
    const holds = await findHolds(session, caller)
    throw new LabError('LAB_SLICE_NOT_STARTED', {
      slice: slice.name,
      waitedMs,
      waiting: waiting.map((sliver) => ({
        ...addHold(describeProblem(sliver), holds),
        state: describeState(sliver),
      })),
    })
  }
  const failed = slice.slivers().filter(({ state }) => isFailed(state))
  const removed = begun.filter((sliver) => !slice.slivers().includes(sliver))
  const problems = [...failed.map(describeProblem), ...removed.map(describeRemoved)]
  if (problems.length > 0)
    throw new LabError('LAB_SLICE_FAILED', { slice: slice.name, failed: problems })
}

/** Find the nodes that start no slivers now, by name. A server that does not answer must not hide the error that this explains. */
async function findHolds(
  { http }: Session,
  caller: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(longestLookMs)])
  const nodes = await http
    .ask(Type.Array(NodeObject), routes.nodes, { signal })
    .catch((): NodeObject[] => [])
  return new Map(
    nodes.flatMap((node) => {
      const hold = describeHold(node)
      if (hold === null) return []
      const why = hold.reason === '' ? '' : `: ${hold.reason}`
      return [[hold.name, `the node is ${hold.state}${why}`] as const]
    }),
  )
}

function addHold(
  problem: ReturnType<typeof describeProblem>,
  holds: ReadonlyMap<string, string>,
): ReturnType<typeof describeProblem> {
  const reason = [problem.reason, holds.get(problem.node) ?? ''].filter((part) => part !== '')
  return { ...problem, reason: reason.join('; ') }
}

function describeRemoved(sliver: Sliver): ReturnType<typeof describeProblem> {
  const reason = 'somebody else has changed the slice, or its node has left the testbed'
  return { ...describeProblem(sliver), state: 'removed', reason }
}

function isSettled(sliver: Sliver): boolean {
  const hasFailed = isFailed(sliver.state) && isCurrent(sliver)
  return hasFailed || isReady(sliver)
}

function isReady(sliver: Sliver): boolean {
  // Without its host key, a started sliver cannot be authenticated.
  return sliver.state === 'started' && sliver.hostKey !== null && isCurrent(sliver)
}

/** Connect to the slivers that are ready while others start: a connection takes six round trips, a command on an open one two. */
function createConnecting(slice: WaitedSlice): () => void {
  const begun = new Set<Sliver>()
  let underWay = 0
  return () => {
    for (const sliver of slice.slivers()) {
      if (underWay >= connectingAtOnce || begun.has(sliver) || !isReady(sliver)) continue
      begun.add(sliver)
      underWay += 1
      void connectSoon(sliver).then(() => (underWay -= 1))
    }
  }
}

/** Keep the handles of a slice up to date until `isDone`, which is called at the beginning and after each change. */
async function followSlivers(
  session: Session,
  slice: WaitedSlice,
  { signal, isDone }: { readonly signal: AbortSignal; readonly isDone: () => boolean },
): Promise<void> {
  for await (const message of readEvents(session.http, routes.events, { signal })) {
    // A new connection reports only later changes, so read the whole state. Do the same when changes were missed.
    const isAnew = message.is === 'connected' || message.event.event === 'reset'
    const change = isAnew ? 'missed' : takeChange(slice, message.event.data)
    if (change === 'foreign') continue
    if (change === 'missed') await refreshPatiently(slice, signal)
    if (isDone()) return
  }
}

/** Read the whole state, and try again while the server cannot be reached. */
async function refreshPatiently(slice: WaitedSlice, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      await slice.refresh(signal)
      return
    } catch (error) {
      if (!LabError.is(error) || !error.retryable) throw error
    }
    await sleep(backoffMs(backoff, Math.min(failures, 4)), signal)
  }
}

/** An event about an object. Kinds other than slice and sliver, including those of newer servers, are ignored. */
const Told = Type.Object({ kind: Type.String(), object_id: Type.String(), object: Type.Unknown() })

/** Apply a change if it is about this slice or one of its slivers. `missed`: it is, but the state of the slice must be read. */
function takeChange(slice: WaitedSlice, data: string): 'taken' | 'missed' | 'foreign' {
  const event: unknown = JSON.parse(data)
  if (!isReadable(Told, event)) return 'foreign'
  if (event.kind === 'slice' && event.object_id === String(slice.id)) {
    if (!isReadable(SliceObject, event.object)) return 'missed'
    slice.take(event.object)
    return 'taken'
  }
  const sliver = slice.slivers().find(({ id }) => id === event.object_id)
  if (event.kind !== 'sliver' || sliver === undefined) return 'foreign'
  if (!isReadable(SliverObject, event.object)) return 'missed'
  updateSliver(sliver, event.object)
  return 'taken'
}

function createProgress(slice: WaitedSlice): () => void {
  const display = currentDisplay().newDisplay()
  const start = performance.now()
  let last = ''
  return () => {
    const states = slice
      .slivers()
      .map((sliver) => `${sliver.node} ${describeState(sliver)}`)
      .join(', ')
    if (states === last) return
    last = states
    const started = slice.slivers().filter((sliver) => isReady(sliver)).length
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const note = `${started} of ${slice.slivers().length} started, ${seconds} s`
    const { 'text/html': html } = tableBundle(slice.slivers(), sliverColumns, note)
    display.update({ 'text/plain': `${slice.name}: ${note} (${states})`, 'text/html': html })
  }
}
