import { LabError, runFileMeasurement } from '@community-lab/contract'
import { orAborted, anySignal, timeoutSignal } from '../wait/signal.ts'
import { currentDisplay } from '../display/current.ts'
import type { Session } from '../session.ts'
import type { SampleDatabase } from './database.ts'
import { lossesOf, readLosses, type PartLosses } from './losses.ts'
import { describeParts, type Outcomes } from './outcome.ts'
import { createProgress, showProblems } from './progress.ts'
import type { RunFile } from './run-file.ts'
import { filesOf } from './run-files.ts'
import type { RunState } from './run-state.ts'
import { readRemoved, type RemovedRows } from './removed-rows.ts'
import { defaultPatience, watchSilence, type Patience, type Silences } from './silence.ts'

/** Options of {@link waitForRun}. */
export interface RunWait {
  /** undefined: while one of its slivers can still report. */
  readonly timeoutMs: number | undefined
  readonly database: SampleDatabase
  readonly signal: AbortSignal
  readonly patience?: Patience
}

/** Wait for the end of a run, show what is waited for, and return what became of it. See `Run.done`. */
export async function waitForRun(
  session: Session,
  state: RunState,
  { timeoutMs, database, signal: caller, patience = defaultPatience }: RunWait,
): Promise<Outcomes> {
  const { name, slice } = state.object
  const timeout = timeoutSignal(timeoutMs ?? Infinity)
  const began = performance.now()
  const progress = createProgress(name)
  const stop = new AbortController()
  const until = anySignal(caller, timeout ?? undefined, stop.signal)
  let silences: Silences = new Map()
  const now = (): Outcomes => describeParts({ ...state.known(), silences })
  const silent = watchSilence(session, {
    sliceId: slice.id,
    waiting: () => now().filter(({ isComplete }) => !isComplete),
    tell(found) {
      silences = found
      progress.tell(now())
    },
    // A wait with a time limit waits that long for nodes that are off.
    patience: timeoutMs === undefined ? patience : { ...patience, silentMs: Infinity },
    signal: until,
  })
  const landed = state.waitUntilLanded(until)
  // When `until` is aborted, both reject. The wait reports the reason.
  silent.catch(() => undefined)
  landed.catch(() => undefined)
  try {
    await orAborted(Promise.race([landed, silent]), until)
  } catch (error) {
    if (caller.aborted && !session.signal.aborted) tellInterrupted(name)
    if (caller.aborted || timeout?.aborted !== true) throw error
  } finally {
    stop.abort()
  }
  progress.end(now())
  const waitedMs = timeoutMs ?? Math.round(performance.now() - began)
  const losses = await orAborted(readPartLosses(state, database, now()), caller)
  const removed = await orAborted(readRemovedSince(session, state, caller), caller)
  const files = losses === null ? null : await orAborted(readKept(state, database), caller)
  const lost = { losses, removed, files }
  const outcomes = describeParts({ ...state.known(), silences, ...lost, waitedMs })
  showProblems(name, outcomes)
  return outcomes
}

/** Tell that only the waiting has ended. */
function tellInterrupted(run: string): void {
  const text = `run ${run} goes on, only the waiting for it was ended; .done() of await lab.runs.get('${run}') waits again, .cancel() ends the run`
  currentDisplay().display({ 'text/plain': text })
}

/** Read what the server has removed since the run began; empty when it cannot be reached. */
async function readRemovedSince(
  session: Session,
  { scope, object }: RunState,
  signal: AbortSignal,
): Promise<readonly RemovedRows[]> {
  try {
    const from = new Date(object.created_on)
    return await readRemoved(session, { scope, from, signal })
  } catch (error) {
    if (LabError.is(error)) return []
    throw error
  }
}

/** Read which files were to be kept; null when the server cannot be reached. */
async function readKept(
  state: RunState,
  database: SampleDatabase,
): Promise<readonly RunFile[] | null> {
  try {
    return filesOf(await database.rowsAfter(runFileMeasurement, 0), state)
  } catch (error) {
    if (LabError.is(error)) return null
    throw error
  }
}

/** Read the lost lines of each sliver; null when the server cannot be reached. */
async function readPartLosses(
  state: RunState,
  database: SampleDatabase,
  outcomes: Outcomes,
): Promise<ReadonlyMap<string, PartLosses> | null> {
  const losses = await readLosses(database)
  if (losses === null) return null
  return new Map(
    outcomes.map(({ sliver, startedAt }) => {
      const own = startedAt === null ? [] : losses
      return [sliver, lossesOf(own, { run: state.id, sliver })]
    }),
  )
}
