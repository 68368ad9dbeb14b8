/** Runs tasks one after another, in the order of the calls. It settles as the task does; a task that fails does not stop the next one. */
export type Queue = <T>(task: () => Promise<T>) => Promise<T>

/** Make a queue without any task. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const done = last.then(task)
    // The caller is told of the failure.
    last = done.catch(() => undefined)
    return done
  }
}
