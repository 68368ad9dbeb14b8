import type { Backoff } from '@community-lab/contract'
import { checkArgument, durationMs } from '../argument.ts'

/** Under this symbol of `globalThis`, a Jupyter kernel provides the interrupt signal of the running cell. */
const interruptSymbol = Symbol.for('community-lab.interrupt')

/** The longest delay of a timer in Node, in milliseconds. A longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1

/** Return the interrupt signal of the notebook cell that the current code belongs to, if any. */
export function currentInterrupt(): AbortSignal | undefined {
  const interrupt: unknown = Reflect.get(globalThis, interruptSymbol)
  return interrupt instanceof AbortSignal ? interrupt : undefined
}

/** Combine signals. Undefined ones are ignored. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}

/**
 * Create a signal that is aborted after a time in milliseconds. The time may be longer than 24.8 days, the limit of `AbortSignal.timeout`. Null for no limit:
 * undefined or Infinity.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for anything else.
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

/** Start a timer that may be longer than Node's. It does not keep the process alive. */
function startTimer(delayMs: number, expire: () => void): void {
  const next = (): void => startTimer(delayMs - maxTimerMs, expire)
  setTimeout(delayMs > maxTimerMs ? next : expire, Math.min(delayMs, maxTimerMs)).unref()
}

/** Wait for a time in milliseconds. Rejects with the signal's reason when it is aborted. */
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

/** Await a promise until the signal is aborted. The work behind it goes on unless it uses the signal too. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reasonOf(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Return the reason of an aborted signal as an error. */
export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new DOMException(String(reason), 'AbortError')
}

/** The delays between attempts of the library. */
export const backoff: Backoff = { firstMs: 200, longestMs: 5_000, jitter: 0.5 }
