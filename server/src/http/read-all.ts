import { both, type Condition } from '../postgres/filter.ts'
import type { ListSource } from '../registry/read/list-source.ts'

/** The number of objects in one query when the database cannot filter, and the most of a list that are in memory as a whole. */
export const batchSize = 1_000

/**
 * Read all objects in batches. Each batch begins after the last object of the one before, so that no object is left out or repeated when others are added
 * and removed meanwhile.
 */
export async function* readAll<T>(source: ListSource<T>, where: Condition): AsyncGenerator<T> {
  for await (const batch of readBatches(source, where, source.atOnce ?? batchSize)) yield* batch
}

/** Read all objects as {@link readAll}, so many at a time. */
export async function* readBatches<T>(
  source: ListSource<T>,
  where: Condition,
  limit: number,
): AsyncGenerator<readonly T[]> {
  let rest = where
  for (;;) {
    const batch = await source.read({ where: rest, limit })
    yield batch
    const last = batch.at(-1)
    if (last === undefined || batch.length < limit) return
    rest = both(where, source.after(last))
  }
}
