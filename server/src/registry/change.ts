import { sql, type Kysely, type Transaction } from 'kysely'
import type { ChangeEvent, EventKind, Incident } from '@community-lab/contract'
import type { Tables } from '../postgres/tables.ts'
import type { Readers } from './read/readers.ts'

/** The channel that tells every reader of a new event. */
export const eventChannel = 'community_lab_event'

/** A transaction under way, and what it must tell of when it commits. */
export interface Change {
  readonly tx: Transaction<Tables>
  /** Note that an object was made, changed or deleted; it is shown as it is at the end of the transaction. */
  note(
    kind: Exclude<EventKind, 'incident'>,
    action: ChangeEvent['action'],
    id: string | number,
  ): void
  /** Note something that an operator should look at. */
  incident(incident: Incident): void
  /** Note that what a node should be may have changed. */
  target(nodeId: number): void
  /** Note that the management network's hosts have changed. */
  tincHosts(): void
}

/** Who hears of a change after it was committed. */
export interface ChangeListeners {
  onTarget(nodeId: number): void
  onTincHosts(): void
}

/** Run a change: its rows and its events are committed together, or neither is. */
export type RunChange = <T>(work: (change: Change) => Promise<T>) => Promise<T>

interface Note {
  readonly kind: EventKind
  readonly action: ChangeEvent['action']
  readonly id: string
  readonly object?: Incident
}

const maxAttempts = 4
// serialization_failure and deadlock_detected: the same transaction may well succeed now.
const repeatable = new Set(['40001', '40P01'])

/** Make the runner of changes for a database. */
export function createChangeRunner(
  db: Kysely<Tables>,
  readers: Readers,
  listeners: ChangeListeners,
): RunChange {
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      const notes = new Map<string, Note>()
      const targets = new Set<number>()
      const hosts = { changed: false }
      try {
        const result = await db.transaction().execute(async (tx) => {
          const answer = await work({
            tx,
            note(kind, action, id) {
              const key = `${kind} ${id}`
              const before = notes.get(key)
              // Made and changed at once is made.
              const seen = before?.action === 'created' && action === 'updated' ? 'created' : action
              notes.set(key, { kind, action: seen, id: String(id) })
            },
            incident(object) {
              notes.set(`incident ${notes.size}`, {
                kind: 'incident',
                action: 'created',
                id: object.node ?? 'unknown',
                object,
              })
            },
            target: (nodeId) => void targets.add(nodeId),
            tincHosts: () => void (hosts.changed = true),
          })
          await writeEvents(tx, readers, [...notes.values()])
          return answer
        })
        for (const nodeId of targets) listeners.onTarget(nodeId)
        if (hosts.changed) listeners.onTincHosts()
        return result
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : ''
        if (!repeatable.has(code) || attempt >= maxAttempts) throw error
      }
    }
  }
}

/**
 * Number and write the events. The counter's row is locked from here to the commit, so that ids are in the order of commits; it is taken last,
 * so that nothing waits for it while holding it.
 */
async function writeEvents(
  tx: Transaction<Tables>,
  readers: Readers,
  notes: readonly Note[],
): Promise<void> {
  if (notes.length === 0) return
  const objects = await readers.objects(
    tx,
    notes.filter((note) => note.action !== 'deleted' && note.object === undefined),
  )
  const { value } = await tx
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', notes.length) }))
    .where('name', '=', 'event')
    .returning('value')
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('events')
    .values(
      notes.map(({ kind, action, id, object }, index) => ({
        id: value - notes.length + 1 + index,
        kind,
        action,
        object_id: id,
        object: JSON.stringify(object ?? objects.get(`${kind} ${id}`) ?? null),
      })),
    )
    .execute()
  await sql`select pg_notify(${eventChannel}, ${String(value)})`.execute(tx)
}
