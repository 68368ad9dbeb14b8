/** Do steps one after the other. One that fails is passed to `onError`, and the others are done all the same: what makes it fail is there the next time, too. */
export async function doEach(
  steps: readonly (() => Promise<unknown>)[],
  onError: (error: unknown) => void,
): Promise<void> {
  for (const step of steps) await step().catch(onError)
}
