/**
 * Wait until all tasks have ended; returns their values, or throws the first failure in their order. Unlike with `Promise.all`, nothing is still at work
 * when the caller cleans up after a failure.
 */
export async function settleAll<T extends readonly unknown[]>(
  ...tasks: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(tasks)
  return Promise.all(tasks)
}
