import type { HealthDataset } from './publisher.ts'

/** The time between two looks whether a day is to be published, in milliseconds. */
const everyMs = 30 * 60_000
/** The time after the start of the server until the first look: what users ask for at the start comes first. */
const firstMs = 60_000

/** Publish days when they are due. The returned function ends this, also in the midst of a day, and waits for its end. */
export function keepPublishing(
  dataset: HealthDataset,
  onError: (error: unknown) => void,
): () => Promise<void> {
  const ending = new AbortController()
  const { signal } = ending
  let running: Promise<void> = Promise.resolve()
  let timer = setTimeout(look, firstMs)
  timer.unref()

  function look(): void {
    running = dataset
      .publish(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) onError(error)
      })
      .then(() => {
        if (signal.aborted) return
        timer = setTimeout(look, everyMs)
        timer.unref()
      })
  }

  return async () => {
    ending.abort(new Error('the server stops'))
    clearTimeout(timer)
    await running
  }
}
