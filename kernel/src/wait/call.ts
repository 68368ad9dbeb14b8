import { abortSignal, checkArgument } from '../argument.ts'
import { anySignal, currentInterrupt, orAborted, reasonOf } from './signal.ts'

/*
 * A cell's interrupt reaches the public calls of the library, and nothing below them. What several calls share (connections, streams of events, requests
 * that are under way for others) never belongs to the cell that began it, so an interrupted cell breaks nothing for the next one.
 *
 * An interrupt is given to a cell's code once: it ends what the code waits for, or the next call that it makes. For ten seconds after that the code may call
 * whatever it needs to clean up.
 */

/** How long after its interrupt the code of a cell may still call, in milliseconds. */
const cleanUpMs = 10_000
/** When each interrupt was given to the code of its cell (`performance.now()`). */
const givenAt = new WeakMap<AbortSignal, number>()

/** Who can end a call. */
export interface CallOptions {
  /** Aborted when the lab is closed. */
  readonly lab: AbortSignal
  /** The caller's own. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Do the work of a public call. Its signal is aborted by the caller's own signal, the lab's end, and the interrupt of the notebook cell that runs.
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

/** A public call that gives items one by one. See {@link call}. */
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
 * Do the work of a public call that cleans up, such as `release()`. It is begun and finished whether the cell was interrupted or not; an interrupt that comes
 * later ends the waiting alone.
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

/** The interrupt that a call begun now obeys. @throws its reason, when the cell's code was not told of it yet or has called on for too long. */
function takeInterrupt(): AbortSignal | undefined {
  const interrupt = currentInterrupt()
  if (interrupt?.aborted !== true) return interrupt
  const given = givenAt.get(interrupt)
  if (given !== undefined && performance.now() - given < cleanUpMs) return undefined
  noteGiven(interrupt)
  throw reasonOf(interrupt)
}

/** A call that fails after the interrupt of its cell has told the cell's code of it. */
function noteGiven(interrupt: AbortSignal | undefined): void {
  if (interrupt?.aborted === true && !givenAt.has(interrupt))
    givenAt.set(interrupt, performance.now())
}
