import { abortSignal, checkArgument } from '../argument.ts'
import { anySignal, currentInterrupt, orAborted, reasonOf } from './signal.ts'

/*
 * The interrupt of a cell aborts the public calls of the library and nothing below them. What several calls share (connections, event streams, requests of
 * others) does not belong to the cell that began it. So an interrupted cell breaks nothing for the next one.
 *
 * An interrupt is delivered once to the code of a cell: it ends the call that the code waits for, or its next call. For ten seconds after that, the code may
 * make any call that it needs to clean up.
 */

/** How long the code of an interrupted cell may still make calls, in milliseconds. */
const cleanUpMs = 10_000
/** When each interrupt was delivered to the code of its cell (`performance.now()`). */
const givenAt = new WeakMap<AbortSignal, number>()

/** The signals that can end a call. */
export interface CallOptions {
  /** Aborted when the lab is closed. */
  readonly lab: AbortSignal
  /** The signal of the caller. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Do the work of a public call. Its signal is aborted by the caller's signal, by closing the lab, and by the interrupt of the notebook cell that runs.
 *
 * @throws the signal's reason.
 */
export async function call<T>(
  options: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interrupt = takeInterrupt()
  try {
    return await work(joinSignals(options, interrupt))
  } catch (error) {
    noteGiven(interrupt)
    throw error
  }
}

/** Do the work of a public call that yields items. See {@link call}. */
export async function* callEach<T>(
  options: CallOptions,
  read: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const interrupt = takeInterrupt()
  try {
    yield* read(joinSignals(options, interrupt))
  } catch (error) {
    noteGiven(interrupt)
    throw error
  }
}

/**
 * Do the work of a public call that cleans up, such as `release()`. An interrupt of the cell before the call does not stop it. A later one only ends the
 * waiting: the work goes on.
 */
export async function cleanUp<T>(
  options: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interrupt = currentInterrupt()
  const working = work(joinSignals(options))
  if (interrupt === undefined || interrupt.aborted) return await working
  try {
    return await orAborted(working, interrupt)
  } catch (error) {
    noteGiven(interrupt)
    throw error
  }
}

function joinSignals({ lab, signal }: CallOptions, interrupt?: AbortSignal): AbortSignal {
  if (signal !== undefined) checkArgument('signal', signal, abortSignal)
  const joined = anySignal(lab, signal, interrupt)
  joined.throwIfAborted()
  return joined
}

/**
 * Return the interrupt that a call must obey. @throws its reason, when it was not delivered to the code of the cell yet, or the time to clean up has passed.
 */
function takeInterrupt(): AbortSignal | undefined {
  const interrupt = currentInterrupt()
  if (interrupt?.aborted !== true) return interrupt
  const given = givenAt.get(interrupt)
  if (given !== undefined && performance.now() - given < cleanUpMs) return undefined
  noteGiven(interrupt)
  throw reasonOf(interrupt)
}

/** Note that the interrupt was delivered: a call has failed after it. */
function noteGiven(interrupt: AbortSignal | undefined): void {
  if (interrupt?.aborted === true && !givenAt.has(interrupt))
    givenAt.set(interrupt, performance.now())
}
