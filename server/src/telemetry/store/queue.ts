/** Runs pieces of work one after the other, whatever became of those before. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** Make a queue. What a piece of work throws goes to who asked for it. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    // The queue goes on; who asked for the work is told of its failure.
    last = done.catch(() => undefined)
    return done
  }
}
