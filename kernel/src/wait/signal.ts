const interruptSymbol = Symbol.for('community-lab.interrupt')

/**
 * The signal that every wait obeys: the caller's own, the lab's end, and the interrupt button of the notebook cell that runs
 * (`globalThis[Symbol.for('community-lab.interrupt')]`, where there is one).
 */
export function joinSignals(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const interrupt: unknown = Reflect.get(globalThis, interruptSymbol)
  const all = [...signals, interrupt instanceof AbortSignal ? interrupt : undefined]
  return AbortSignal.any(all.filter((signal) => signal !== undefined))
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

/** The delay before attempt number `attempt` (from 1): it doubles from 200 ms to at most 5 s, and half of it is chance. */
export function backoffMs(attempt: number): number {
  const full = Math.min(5_000, 200 * 2 ** (attempt - 1))
  return full / 2 + Math.random() * (full / 2)
}
