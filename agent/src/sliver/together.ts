/**
 * Do tasks side by side. Settles when all have ended, with their values or the first failure in their order: whoever cleans up after one finds no other still
 * at work.
 */
export async function together<T extends readonly unknown[]>(
  ...tasks: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(tasks)
  return Promise.all(tasks)
}
