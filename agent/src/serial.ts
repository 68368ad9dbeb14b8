/** Runs the tasks of one key one after another, in the order of the calls; tasks of different keys run side by side. The contract's `Queue` has no keys. */
export interface Serial {
  /** Run a task after all earlier ones of its key, whether those succeeded or not. Settles as the task does. */
  run<T>(key: string, task: () => Promise<T>): Promise<T>
  /** Settles when all tasks so far have ended. */
  idle(): Promise<void>
}

/** Make a runner without any task. */
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
