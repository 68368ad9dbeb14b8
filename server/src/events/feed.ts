import { setTimeout as delay } from 'node:timers/promises'
import type { ChangeEvent } from '@community-lab/contract'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { Owner } from '../domain/asker.ts'
import { createTurns } from '../http/turns.ts'
import { channels, type Notifications } from '../postgres/notifications.ts'
import type { EventTable, Tables } from '../postgres/tables.ts'
import { formatCursor } from './cursor.ts'

/** An event, and the owner of its object where it is not for everybody. */
export interface StoredEvent {
  readonly event: ChangeEvent
  readonly owner: Owner | null
  /** The whole server-sent event. It is written once, for all readers. */
  readonly bytes: Buffer
}

/** All changes, in the order of commits. */
export interface EventFeed extends AsyncDisposable {
  /** Return the ids of the oldest event that is kept and of the newest. */
  range(): Promise<{ readonly first: number; readonly last: number }>
  /** Read some of the events after an id, the next ones first: at most {@link maxEventsPerRead}, and so many bytes. Empty when there are none. */
  after(id: number): Promise<readonly StoredEvent[]>
  /** Read one event; null when it is not kept. */
  one(id: number): Promise<ChangeEvent | null>
  /** Call back when there may be new events. Returns a function that ends this. */
  onNews(listener: () => void): () => void
}

/** The most events of one read. */
const maxEventsPerRead = 500
/**
 * No further events are read once those before them have so many bytes as JSON. In memory, an object takes several times as much: five hundred of a large run, which any stranger
 * could ask for, took more than the server may have.
 */
const maxBytesPerRead = 4 * 1024 * 1024
const againAfterMs = 500
/** The newest events are kept in memory: at most so many, and so many bytes. */
const ringSize = 2_000
const ringBytes = 32 * 1024 * 1024

/** Readers who are behind what is in memory read from the database, this many at a time: a thousand of them must not take all connections from nodes and changes. */
const readersBehind = { atOnce: 2, restShare: 0, waitingOfOne: 10_000, waiting: 10_000 } as const

/** Options of {@link openEventFeed}. */
export interface EventFeedOptions {
  readonly db: Kysely<Tables>
  readonly notifications: Notifications
  readonly onError: (error: unknown) => void
}

/** Follow the events of a database. The newest events are kept in memory for all readers. */
export async function openEventFeed(options: EventFeedOptions): Promise<EventFeed> {
  const { db, notifications, onError } = options
  const listeners = new Set<() => void>()
  const ending = new AbortController()
  const { signal } = ending
  const isEnding = (): boolean => signal.aborted
  const turns = createTurns(readersBehind)
  let ring: readonly StoredEvent[] = []
  let newest = (await readRange(db)).last

  async function refresh(): Promise<void> {
    for (;;) {
      const { events, isLast } = await readAfter(db, newest)
      ring = keepNewest([...ring, ...events])
      newest = events.at(-1)?.event.id ?? newest
      if (isLast) break
    }
    for (const listener of listeners) listener()
  }

  // Events that are announced during a read are read by another read after it.
  let reading: Promise<void> | null = null
  let again = false
  function wake(): void {
    again = true
    reading ??= (async () => {
      while (again && !isEnding()) {
        again = false
        try {
          await refresh()
        } catch (error) {
          // A read that failed is repeated, even if no other event is announced.
          again = true
          onError(error)
          await delay(againAfterMs, undefined, { signal }).catch(() => {
            // The signal was aborted: the loop's condition ends the loop.
          })
        }
      }
      reading = null
    })()
  }

  // Also read without a message, because events may have been committed while nobody listened.
  const unsubscribe = notifications.on(channels.event, wake)
  wake()

  return {
    range: () => readRange(db),
    async after(id) {
      const oldest = ring[0]?.event.id
      if (oldest === undefined || id < oldest - 1) {
        const end = await turns.take('readers', signal)
        try {
          const { events } = await readAfter(db, id)
          return events
        } finally {
          end()
        }
      }
      return ring.slice(id - oldest + 1, id - oldest + 1 + maxEventsPerRead)
    },
    async one(id) {
      const inRing = ring.find(({ event }) => event.id === id)
      const [found] = inRing === undefined ? (await readAfter(db, id - 1, 1)).events : [inRing]
      return found?.event.id === id ? found.event : null
    },
    onNews(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      unsubscribe()
      listeners.clear()
      await reading
    },
  }
}

async function readRange(db: Kysely<Tables>): Promise<{ first: number; last: number }> {
  const row = await db
    .selectFrom('counters')
    .select([
      'value',
      (eb) =>
        eb
          .selectFrom('events')
          .select((e) => e.fn.min('id').as('id'))
          .as('first'),
    ])
    .where('name', '=', 'event')
    .executeTakeFirstOrThrow()
  return { first: row.first ?? row.value + 1, last: row.value }
}

/** The events of one read. */
interface EventsRead {
  readonly events: readonly StoredEvent[]
  /** Whether there were no more. */
  readonly isLast: boolean
}

async function readAfter(
  db: Kysely<Tables>,
  id: number,
  limit = maxEventsPerRead,
): Promise<EventsRead> {
  const { rows } = await sql<Selectable<EventTable> & { before: number; found: number }>`
    select * from (
      select next.*, count(*) over () as found,
        coalesce(sum(octet_length(object::text)) over (
          order by id rows between unbounded preceding and 1 preceding), 0) as before
      from (select * from events where id > ${id} order by id limit ${limit}) as next) as counted
    where before < ${maxBytesPerRead} order by id`.execute(db)
  const events = rows.map(({ owner, before: _before, found: _found, ...row }) => {
    const object = row.object as ChangeEvent['object']
    const event = { ...row, time: row.time.toISOString(), object }
    const text = `id: ${formatCursor(event.id, event)}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`
    return { event, owner, bytes: Buffer.from(text) }
  })
  const found = rows[0]?.found ?? 0
  return { events, isLast: found < limit && found === rows.length }
}

/** Keep the newest events, within the bounds of the ring. The newest one is kept however large it is. */
function keepNewest(events: readonly StoredEvent[]): readonly StoredEvent[] {
  let bytes = 0
  const tooMuch = events.findLastIndex((event, index) => {
    bytes += event.bytes.length
    return events.length - index > 1 && bytes > ringBytes
  })
  return events.slice(Math.max(tooMuch + 1, events.length - ringSize))
}
