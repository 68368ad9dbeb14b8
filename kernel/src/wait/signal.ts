import type { Backoff } from '@community-lab/contract'
import { checkArgument, durationMs } from '../argument.ts'

/** Where a Jupyter kernel puts the signal of the cell that runs: `globalThis[Symbol.for('community-lab.interrupt')]`. */
const interruptSymbol = Symbol.for('community-lab.interrupt')

/** The longest time that a timer of Node takes, in milliseconds; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1

/** The interrupt of the notebook cell that the code running now belongs to, where there is one. */
export function currentInterrupt(): AbortSignal | undefined {
  const interrupt: unknown = Reflect.get(globalThis, interruptSymbol)
  return interrupt instanceof AbortSignal ? interrupt : undefined
}

/** One signal for several; those that are undefined are left out. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}

/**
 * A signal that is aborted after so many milliseconds; of any length, where `AbortSignal.timeout` ends at 24.8 days. Null for no limit: undefined or Infinity.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for what is no time.
 */
export function timeoutSignal(
  timeoutMs: number | undefined,
  argument = 'timeoutMs',
): AbortSignal | null {
  if (timeoutMs === undefined || timeoutMs === Infinity) return null
  checkArgument(argument, timeoutMs, durationMs)
  if (timeoutMs <= maxTimerMs) return AbortSignal.timeout(Math.ceil(timeoutMs))
  const controller = new AbortController()
  const expire = (): void => controller.abort(new DOMException('the time is over', 'TimeoutError'))
  startTimer(timeoutMs, expire)
  return controller.signal
}

/** A timer that may be longer than Node's; it does not keep the process alive. */
function startTimer(delayMs: number, expire: () => void): void {
  const next = (): void => startTimer(delayMs - maxTimerMs, expire)
  setTimeout(delayMs > maxTimerMs ? next : expire, Math.min(delayMs, maxTimerMs)).unref()
}

/** Wait. Rejects with the signal's reason when it is aborted. */
export function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, delayMs)
    const abort = (): void => {
      clearTimeout(timer)
      reject(reasonOf(signal))
    }
    signal.addEventListener('abort', abort, { once: true })
  })
}

/** A promise, given up when the signal is aborted. The work itself goes on unless it knows the signal too. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reasonOf(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Why a signal was aborted, as an error. */
export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new DOMException(String(reason), 'AbortError')
}

/** How the library's delays between attempts grow. */
export const backoff: Backoff = { firstMs: 200, longestMs: 5_000, jitter: 0.5 }
