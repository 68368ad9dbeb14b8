/**
 * Runs the tasks with the same key one after another, in the order of the calls. Tasks with different keys run in parallel. The contract's `Queue` has no keys.
 */
export interface Serial {
  /** Run a task after all earlier ones with its key, whether those have succeeded or not. Settles like the task. */
  run<T>(key: string, task: () => Promise<T>): Promise<T>
  /** Settles when all current tasks have ended. */
  idle(): Promise<void>
}

/** Make a runner without tasks. */
export function createSerial(): Serial {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run(key, task) {
      const turn = (tails.get(key) ?? Promise.resolve()).then(task, task)
      tails.set(key, turn)
      const forget = (): void => {
        if (tails.get(key) === turn) tails.delete(key)
      }
      turn.then(forget, forget)
      return turn
    },
    async idle() {
      await Promise.allSettled(tails.values())
    },
  }
}
