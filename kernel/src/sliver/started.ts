import {
  backoffMs,
  isFailed,
  isReadable,
  LabError,
  routes,
  Slice as SliceObject,
  Sliver as SliverObject,
} from '@community-lab/contract'
import Type from 'typebox'
import { currentDisplay } from '../display/current.ts'
import { tableBundle } from '../display/table.ts'
import { readEvents } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import { anySignal, backoff, sleep, timeoutSignal } from '../wait/signal.ts'
import {
  connectSoon,
  isCurrent,
  sliverColumns,
  troubleOf,
  updateSliver,
  type Sliver,
} from './sliver.ts'

/** Options of a wait. */
export interface WaitOptions {
  /** How long to wait at most, in milliseconds; Infinity: without an end. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A slice whose slivers are waited for. */
export interface WaitedSlice {
  readonly id: number
  readonly name: string
  slivers(): readonly Sliver[]
  /** How often a reset of all its slivers was asked for. */
  instanceSn(): number
  /** Ask the server how all of it is. */
  refresh(signal: AbortSignal): Promise<void>
  /** Take what the server has told of it. */
  take(object: SliceObject): void
}

const defaultTimeoutMs = 120_000
/** How many slivers are connected to at once while others start. */
const connectingAtOnce = 64

/** Wait until each of a slice's slivers has started or failed, and show how they are meanwhile. See `Slice.started`. */
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
        return slice.slivers().every((sliver) => isSettled(sliver, slice))
      },
    })
  } catch (error) {
    if (caller.aborted || timeout?.aborted !== true) throw error
    const waiting = slice.slivers().filter((sliver) => !isReady(sliver, slice))
    throw new LabError('LAB_SLICE_NOT_STARTED', {
      slice: slice.name,
      waitedMs,
      waiting: waiting.map((sliver) => ({ ...troubleOf(sliver), state: stateOf(sliver, slice) })),
    })
  }
  const failed = slice.slivers().filter(({ state }) => isFailed(state))
  const removed = begun.filter((sliver) => !slice.slivers().includes(sliver))
  const trouble = [...failed.map(troubleOf), ...removed.map(removedTrouble)]
  if (trouble.length > 0)
    throw new LabError('LAB_SLICE_FAILED', { slice: slice.name, failed: trouble })
}

function removedTrouble(sliver: Sliver): ReturnType<typeof troubleOf> {
  const reason = 'somebody else has changed the slice, or its node has left the testbed'
  return { ...troubleOf(sliver), state: 'removed', reason }
}

function isSettled(sliver: Sliver, slice: WaitedSlice): boolean {
  const hasFailed = isFailed(sliver.state) && isCurrent(sliver, slice.instanceSn())
  return hasFailed || isReady(sliver, slice)
}

function isReady(sliver: Sliver, slice: WaitedSlice): boolean {
  // Started, but its host key not told yet: nobody could be sure to speak with it.
  return (
    sliver.state === 'started' && sliver.hostKey !== null && isCurrent(sliver, slice.instanceSn())
  )
}

/** A sliver's state in words; a container that is to be replaced is told from the one that is wanted. */
function stateOf(sliver: Sliver, slice: WaitedSlice): string {
  return isCurrent(sliver, slice.instanceSn()) ? sliver.state : `${sliver.state}, to be made again`
}

/** Connect to the slivers that are ready while others start: a connection takes six round trips, a command on an open one two. */
function createConnecting(slice: WaitedSlice): () => void {
  const begun = new Set<Sliver>()
  let underWay = 0
  return () => {
    for (const sliver of slice.slivers()) {
      if (underWay >= connectingAtOnce || begun.has(sliver) || !isReady(sliver, slice)) continue
      begun.add(sliver)
      underWay += 1
      void connectSoon(sliver).then(() => (underWay -= 1))
    }
  }
}

/** Keep a slice's handles as the server tells of them until `isDone`, which is asked at the beginning and after each change. */
async function followSlivers(
  session: Session,
  slice: WaitedSlice,
  { signal, isDone }: { readonly signal: AbortSignal; readonly isDone: () => boolean },
): Promise<void> {
  for await (const message of readEvents(session.http, routes.events, { signal })) {
    // A new connection brings only the changes after it, so the present state is read then; also when changes were missed.
    const isAnew = message.is === 'connected' || message.event.event === 'reset'
    const change = isAnew ? 'missed' : takeChange(slice, message.event.data)
    if (change === 'foreign') continue
    if (change === 'missed') await refreshPatiently(slice, signal)
    if (isDone()) return
  }
}

/** Ask how all of the slice is, and go on asking while the server is away. */
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

/** An event that tells of a slice or a sliver. Other kinds, also those of newer servers, are passed over. */
const Told = Type.Object({ kind: Type.String(), object_id: Type.String(), object: Type.Unknown() })

/** Take a change of this slice or of one of its slivers. `missed`: it is one, and the slice must be read to know it. */
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
      .map((sliver) => `${sliver.node} ${stateOf(sliver, slice)}`)
      .join(', ')
    if (states === last) return
    last = states
    const started = slice.slivers().filter((sliver) => isReady(sliver, slice)).length
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const note = `${started} of ${slice.slivers().length} started, ${seconds} s`
    const { 'text/html': html } = tableBundle(slice.slivers(), sliverColumns, note)
    display.update({ 'text/plain': `${slice.name}: ${note} (${states})`, 'text/html': html })
  }
}
