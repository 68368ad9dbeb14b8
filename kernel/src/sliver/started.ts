import { ChangeEvent, isFailed, LabError, routes } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { currentDisplay } from '../display/current.ts'
import { tableBundle } from '../display/table.ts'
import { readEvents } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import { joinSignals } from '../wait/signal.ts'
import type { SliceHandle } from './slice-handle.ts'
import { connectSoon, sliverColumns, troubleOf, updateSliver, type Sliver } from './sliver.ts'

/** Options of a wait. */
export interface WaitOptions {
  /** How long to wait at most, in milliseconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const defaultTimeoutMs = 120_000
/** How many slivers are connected to at once while others start. */
const connectingAtOnce = 64

/** Wait until each of a slice's slivers has started or failed, and show how they are meanwhile. See `Slice.started`. */
export async function waitStarted(
  session: Session,
  slice: SliceHandle,
  { timeoutMs: waitedMs = defaultTimeoutMs, signal }: WaitOptions,
): Promise<void> {
  const timeout = AbortSignal.timeout(waitedMs)
  const caller = joinSignals(signal, session.signal)
  const showProgress = createProgress(slice)
  const connect = createConnecting(slice)
  try {
    await followSlivers(session, slice, {
      signal: AbortSignal.any([caller, timeout]),
      isDone: () => {
        showProgress()
        connect()
        return slice.slivers.every(isSettled)
      },
    })
  } catch (error) {
    if (caller.aborted || !timeout.aborted) throw error
    const waiting = slice.slivers.filter((sliver) => sliver.state !== 'started').map(troubleOf)
    throw new LabError('LAB_SLICE_NOT_STARTED', { slice: slice.name, waitedMs, waiting })
  }
  const failed = slice.slivers.filter((sliver) => isFailed(sliver.state))
  if (failed.length > 0)
    throw new LabError('LAB_SLICE_FAILED', { slice: slice.name, failed: failed.map(troubleOf) })
}

function isSettled(sliver: Sliver): boolean {
  return isFailed(sliver.state) || isReady(sliver)
}

function isReady(sliver: Sliver): boolean {
  // Started, but its host key not told yet: nobody could be sure to speak with it.
  return sliver.state === 'started' && sliver.hostKey !== null
}

/** Connect to the slivers that are ready while others start: a connection takes six round trips, a command on an open one two. */
function createConnecting(slice: SliceHandle): () => void {
  const begun = new Set<Sliver>()
  let underWay = 0
  return () => {
    for (const sliver of slice.slivers) {
      if (underWay >= connectingAtOnce || begun.has(sliver) || !isReady(sliver)) continue
      begun.add(sliver)
      underWay += 1
      void connectSoon(sliver).then(() => (underWay -= 1))
    }
  }
}

/** Keep a slice's handles as the server tells of them until `isDone`, which is asked at the beginning and after each change. */
async function followSlivers(
  session: Session,
  slice: SliceHandle,
  { signal, isDone }: { readonly signal: AbortSignal; readonly isDone: () => boolean },
): Promise<void> {
  for await (const message of readEvents(session.http, routes.events, { signal })) {
    // A connection begins with changes after it alone, so what is now is read then; so it is when changes were missed.
    if (message.is === 'connected' || message.event.event === 'reset')
      await slice.refresh({ signal })
    else if (!takeChange(slice, message.event.data)) continue
    if (isDone()) return
  }
}

function takeChange(slice: SliceHandle, data: string): boolean {
  const event: unknown = JSON.parse(data)
  if (!Value.Check(ChangeEvent, event) || event.kind !== 'sliver' || event.object === null)
    return false
  const sliver = slice.slivers.find(({ id }) => id === event.object_id)
  if (sliver === undefined || !('effective_set_state' in event.object)) return false
  updateSliver(sliver, event.object)
  return true
}

function createProgress(slice: SliceHandle): () => void {
  const display = currentDisplay().newDisplay()
  const start = performance.now()
  let last = ''
  return () => {
    const states = slice.slivers.map(({ node, state }) => `${node} ${state}`).join(', ')
    if (states === last) return
    last = states
    const started = slice.slivers.filter(({ state }) => state === 'started').length
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const note = `${started} of ${slice.slivers.length} started, ${seconds} s`
    const { 'text/html': html } = tableBundle(slice.slivers, sliverColumns, note)
    display.update({ 'text/plain': `${slice.name}: ${note} (${states})`, 'text/html': html })
  }
}
