/** Run tasks one after another, in the order of the calls. What this returns settles as the task does; a task that fails does not stop the next one. */
export function createSerial(): <T>(task: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve()
  return (task) => {
    const turn = tail.then(task)
    tail = turn.catch(() => {
      // Who asked for the task is told; the next task starts afresh.
    })
    return turn
  }
}
