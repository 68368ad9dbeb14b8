/**
 * Wait until all tasks have ended. Returns their values, or throws the first failure in the order of the tasks. Unlike with `Promise.all`, no task is still
 * running when the caller cleans up after a failure.
 */
export async function settleAll<T extends readonly unknown[]>(
  ...tasks: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(tasks)
  return Promise.all(tasks)
}
