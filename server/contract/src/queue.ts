/** Runs tasks one after another, in the order of the calls. A call settles as its task does. A task that fails does not stop the next one. */
export type Queue = <T>(task: () => Promise<T>) => Promise<T>

/** Make an empty queue. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const done = last.then(task)
    // The caller receives the failure.
    last = done.catch(() => undefined)
    return done
  }
}
