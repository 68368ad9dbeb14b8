/** Something that runs pieces of work one after the other, whatever became of those before. */
export type Lane = <T>(work: () => Promise<T>) => Promise<T>

/** Make a lane. What a piece of work throws goes to who asked for it. */
export function createLane(): Lane {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    // The lane goes on; who asked for the work is told of its failure.
    last = done.catch(() => undefined)
    return done
  }
}
