/** Repeat a task until the signal is aborted. An error of the task after the abort is dropped, because the abort has caused it. */
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
