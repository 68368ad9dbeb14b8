/** Repeat a task until the signal ends it. What the task throws after that is the end that it was told to come to, and is dropped. */
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
