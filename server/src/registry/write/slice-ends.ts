import { dueWarning, warnedBefore } from '../../domain/slice-end.ts'
import type { RegistryStore } from '../store.ts'
import { removeSlice } from './slices.ts'

/**
 * Warn of the ends of slices, 4 days and 1 day before: each slice whose warning is due shows it from now on, which makes an event. A renewal takes the warning
 * back. A slice that was not looked at for some days has the later warning alone. Returns the number of slices that were warned.
 */
export async function warnOfEnds(store: RegistryStore, now = new Date()): Promise<number> {
  const ending = await store.db
    .selectFrom('slices')
    .select(['id', 'expires_on', 'warned_days'])
    .where('expires_on', '<=', warnedBefore(now))
    .orderBy('id')
    .execute()
  const due = ending.flatMap(({ id, expires_on: expiresOn, warned_days: warned }) => {
    const days = dueWarning({ expiresOn, warned }, now)
    return days === null ? [] : [{ id, days, expiresOn }]
  })
  if (due.length === 0) return 0
  return store.change(async (change) => {
    let count = 0
    for (const { id, days, expiresOn } of due) {
      const warned = await change.tx
        .updateTable('slices')
        .set({ warned_days: days, warned_on: now })
        .where('id', '=', id)
        // It may have been renewed meanwhile.
        .where('expires_on', '=', expiresOn)
        .returning('id')
        .executeTakeFirst()
      if (warned === undefined) continue
      change.note('slice', 'updated', id)
      count += 1
    }
    return count
  })
}

/**
 * Remove the slices that have expired, each in a transaction of its own. So a large number delays nobody, and a slice that cannot be removed does not stop the
 * others. Returns the number of removed slices.
 *
 * @throws {AggregateError} when some could not be removed; the next call tries them again.
 */
export async function removeExpiredSlices(store: RegistryStore, now = new Date()): Promise<number> {
  const expired = await store.db
    .selectFrom('slices')
    .select('id')
    .where('expires_on', '<', now)
    .orderBy('id')
    .execute()
  const failures: unknown[] = []
  for (const { id } of expired) {
    const removal = store.change(async (change) => {
      const row = await change.tx
        .selectFrom('slices')
        .select('id')
        .where('id', '=', id)
        // It may have been renewed or removed meanwhile.
        .where('expires_on', '<', now)
        .forUpdate()
        .executeTakeFirst()
      if (row !== undefined) await removeSlice(change, id)
    })
    await removal.catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} expired slices cannot be removed`)
  return expired.length
}
