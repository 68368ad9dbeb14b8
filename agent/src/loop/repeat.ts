/** Repeat a task until the signal ends it. An error that the task throws after the abort is caused by it, and is dropped. */
export async function repeatUntilAborted(
  signal: AbortSignal,
  task: () => Promise<void>,
): Promise<void> {
  const isOver = (): boolean => signal.aborted
  while (!isOver()) {
    try {
      await task()
    } catch (error) {
      if (!isOver()) throw error
    }
  }
}
