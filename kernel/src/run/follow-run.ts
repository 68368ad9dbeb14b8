import {
  backoffMs,
  isReadable,
  LabError,
  path,
  routes,
  Run as RunObject,
  runEndMeasurement,
} from '@community-lab/contract'
import Type from 'typebox'
import { readEvents as readEventsOf } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import { anySignal, backoff, orAborted, sleep } from '../wait/signal.ts'
import { readRows } from './row-stream.ts'

/** What is read of an event. */
const RunEvent = Type.Object({
  kind: Type.String(),
  object_id: Type.String(),
  object: Type.Unknown(),
})

/** The shortest time between two reads of a run whose events are without its parts, in milliseconds. */
const rereadMs = 1_000

/** Follow the state of a run until `take`, which gets it at the beginning and after each change, returns true. Waits for a server that cannot be reached. */
export async function followRun(
  session: Session,
  id: string,
  { signal, take }: { readonly signal: AbortSignal; readonly take: (run: RunObject) => boolean },
): Promise<void> {
  const stop = new AbortController()
  const until = anySignal(signal, stop.signal)
  let changed = Promise.withResolvers<undefined>()
  async function readEvents(): Promise<void> {
    for await (const message of readEventsOf(session.http, routes.events, { signal: until })) {
      // A new connection reports only later changes, so read the whole state. Do the same when changes were missed.
      const mayHaveMissed = message.is === 'connected' || message.event.event === 'reset'
      const run = mayHaveMissed
        ? await readPatiently(session, id, until)
        : runIn(id, message.event.data)
      if (run === 'changed') changed.resolve(undefined)
      else if (run !== null && take(run)) return
    }
  }
  /** Read it after events that do not say how it is. Several events make one read. */
  async function readChanges(): Promise<void> {
    for (;;) {
      await orAborted(changed.promise, until)
      changed = Promise.withResolvers()
      if (take(await readPatiently(session, id, until))) return
      await sleep(rereadMs, until)
    }
  }
  const both = [readEvents(), readChanges()]
  try {
    await Promise.race(both)
  } finally {
    stop.abort()
    // The other one rejects now.
    await Promise.allSettled(both)
  }
}

/** Read a run, and try again while the server cannot be reached. */
async function readPatiently(
  { http }: Session,
  id: string,
  signal: AbortSignal,
): Promise<RunObject> {
  for (let failures = 1; ; failures++) {
    try {
      return await http.ask(RunObject, path(routes.run, { id }), { signal })
    } catch (error) {
      if (!LabError.is(error) || !error.retryable) throw error
    }
    await sleep(backoffMs(backoff, Math.min(failures, 4)), signal)
  }
}

/** Return the run of an event about it; null: the event is about something else. `changed`: the event does not say how it is. @throws {@link LabError} LAB_NOT_FOUND when the run was removed. */
function runIn(id: string, data: string): RunObject | 'changed' | null {
  const event: unknown = JSON.parse(data)
  if (!isReadable(RunEvent, event) || event.kind !== 'run' || event.object_id !== id) return null
  if (event.object === null) throw new LabError('LAB_NOT_FOUND', { kind: 'run', id })
  return isReadable(RunObject, event.object) ? event.object : 'changed'
}

/** What {@link followEndRows} follows. */
export interface EndRowsSelection {
  readonly scope: string
  readonly run: string
  /** Where each end row that has come landed, by sliver. Those that come are added. */
  readonly landed: Map<string, number>
  readonly signal: AbortSignal
}

/** The rows that follow the last samples of a run. */
export interface EndRows {
  /** Wait until they have landed, on those slivers where there is one. Rejects with the signal's reason. */
  have(run: RunObject): Promise<void>
}

/** Follow the rows that follow the last samples of a run, until the signal is aborted. */
export function followEndRows(
  session: Session,
  { scope, run: id, landed: known, signal }: EndRowsSelection,
): EndRows {
  let wanted: RunObject | null = null
  const { promise, resolve, reject } = Promise.withResolvers<null>()
  const check = (): void => {
    if (wanted?.parts.every((part) => !part.has_end_row || known.has(part.sliver.id)) === true)
      resolve(null)
  }
  async function read(): Promise<never> {
    const selection = { scope, name: runEndMeasurement, run: id, signal }
    for await (const { rows, landed } of readRows(session, selection)) {
      for (const row of rows) {
        const at = typeof row['landed'] === 'number' ? row['landed'] : landed
        known.set(String(row['sliver']), at)
      }
      check()
    }
    throw signal.reason
  }
  read().catch(reject)
  // Nobody may wait for it when it fails.
  promise.catch(() => undefined)
  return {
    async have(run) {
      wanted = run
      check()
      await promise
    },
  }
}
