import type { Db } from './selection.ts'

/**
 * Return the newest event, as the version of all objects whose changes are events. Its time distinguishes it from the one of the same number in a database that was restored
 * from a backup.
 */
export async function readNewestEvent(db: Db): Promise<string> {
  const { value, time } = await db
    .selectFrom('counters')
    .leftJoin('events', 'events.id', 'counters.value')
    .select(['counters.value', 'events.time'])
    .where('counters.name', '=', 'event')
    .executeTakeFirstOrThrow()
  return `${value} ${time?.toISOString() ?? ''}`
}
