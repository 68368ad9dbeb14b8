import { sql, type Kysely, type Transaction } from 'kysely'
import {
  LabError,
  parseSliverId,
  type AuditKind,
  type ChangeEvent,
  type EventKind,
  type Incident,
} from '@community-lab/contract'
import { channels } from '../postgres/notifications.ts'
import type { Tables } from '../postgres/tables.ts'
import { currentActor } from './actor.ts'
import { writeAudit, type Trace } from './audit-trail.ts'
import { writeEvents, type ChangeNotes, type EventOwner, type Note } from './event-log.ts'
import type { Readers } from './read/readers.ts'

/** A transaction under way, and the notes from which its events are made when it commits. */
export interface Change {
  readonly tx: Transaction<Tables>
  /**
   * Note that an object was made, changed or deleted. Its event shows it as it is at the end of the transaction. If another change has deleted the object by then, only that
   * change has an event. `owner` is that of a deleted object whose events are not for everybody.
   */
  note(
    kind: Exclude<EventKind, 'incident'>,
    action: ChangeEvent['action'],
    id: string | number,
    owner?: EventOwner,
  ): void
  /** Note that all slivers of a slice or of a node were changed, including those that concurrent changes add. */
  noteSlivers(of: 'slice' | 'node', id: number): void
  /** Note that the targets of nodes with slivers of a group or of a template may have changed, including slivers that concurrent changes add. */
  targetsOf(of: 'group' | 'template', id: number): void
  /** Note a change for the audit trail, of a kind whose events do not show who owns what, or of one that has no events. `name` is the object's, which the trail keeps when the object is gone. */
  trace(kind: AuditKind, action: ChangeEvent['action'], id: number, name?: string): void
  /** Note something that an operator should look at. */
  incident(incident: Incident): void
  /** Note that the target of a node may have changed. */
  target(nodeId: number): void
  /** Note that a machine, by its name in tinc, may join the management network now or not any more, or that its key has changed. */
  tincHost(name: string): void
  /** Note that tokens are revoked or have lost rights. Every server ends the streams that they have open. */
  cutTokens(ids: readonly number[]): void
}

/** The callbacks after a change was committed. */
export interface ChangeListeners {
  onTarget(nodeId: number): void
  onTincHosts(names: readonly string[]): void
}

const maxAttempts = 6
// serialization_failure, deadlock_detected, and foreign_key_violation, which means that an object was removed at the same moment. When it is tried again, the
// change succeeds or finds out what is missing.
const repeatable = new Set(['40001', '40P01', '23503'])

/** Runs a change. Its rows and its events are committed together, or neither is. */
export type RunChange = <T>(work: (change: Change) => Promise<T>) => Promise<T>

/** Create the function that runs changes of a database. */
export function createChangeRunner(
  db: Kysely<Tables>,
  readers: Readers,
  listeners: ChangeListeners,
): RunChange {
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      const notes = createNotes()
      const targets = new Set<number>()
      const hosts = new Set<string>()
      const cut: number[] = []
      const traces: Trace[] = []
      try {
        const result = await db.transaction().execute(async (tx) => {
          const answer = await work({
            tx,
            ...notes,
            trace: (kind, action, id, name) =>
              void traces.push({ kind, action, id: String(id), name: name ?? null }),
            target: (nodeId) => void targets.add(nodeId),
            tincHost: (name) => void hosts.add(name),
            cutTokens: (ids) => void cut.push(...ids),
          })
          await tellCutTokens(tx, cut)
          await writeAudit(tx, [...tracesOf([...notes.objects.values()]), ...traces])
          for (const nodeId of await writeEvents(tx, readers, notes)) targets.add(nodeId)
          return answer
        })
        for (const nodeId of targets) listeners.onTarget(nodeId)
        if (hosts.size > 0) listeners.onTincHosts([...hosts])
        return result
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : ''
        if (code === '23503') await requireActor(db)
        if (!repeatable.has(code) || attempt >= maxAttempts) throw error
      }
    }
  }
}

/** Require that the user who makes a change was not removed since the request was let in. @throws {@link LabError} LAB_AUTH_INVALID_TOKEN. */
async function requireActor(db: Kysely<Tables>): Promise<void> {
  const id = currentActor()?.userId ?? null
  if (id === null) return
  const user = await db.selectFrom('users').select('id').where('id', '=', id).executeTakeFirst()
  if (user !== undefined) return
  throw new LabError('LAB_AUTH_INVALID_TOKEN', { reason: 'its user has just been removed' })
}

/** The most ids in one message. PostgreSQL's messages have at most 8,000 bytes. */
const idsPerMessage = 500

async function tellCutTokens(tx: Transaction<Tables>, ids: readonly number[]): Promise<void> {
  for (let from = 0; from < ids.length; from += idsPerMessage) {
    const message = ids.slice(from, from + idsPerMessage).join(',')
    await sql`select pg_notify(${channels.revokedTokens}, ${message})`.execute(tx)
  }
}

/**
 * The changes that somebody made, for the audit trail. An event of an incident is no change, nor is that of a node which only shows other slivers: the entries of
 * the slivers tell of that. Changes of groups, users and requests are noted by `trace`, because their events also show what others changed, such as a group's new slice.
 */
function tracesOf(notes: readonly Note[]): Trace[] {
  const slivers = notes.filter(({ kind }) => kind === 'sliver')
  const shown = new Set(slivers.map(({ id }) => String(parseSliverId(id)?.nodeId)))
  return notes.flatMap(({ kind, action, id }) => {
    const isShown = kind === 'node' && action === 'updated' && shown.has(id)
    if (kind === 'incident' || kind === 'group' || kind === 'user' || kind === 'request') return []
    return isShown ? [] : [{ kind, action, id, name: null }]
  })
}

type Notes = Pick<Change, 'note' | 'noteSlivers' | 'targetsOf' | 'incident'>

function createNotes(): Notes & ChangeNotes {
  const objects = new Map<string, Note>()
  const incidents: Incident[] = []
  const sliversOf = { slice: new Set<number>(), node: new Set<number>() }
  const nodesOf = { group: new Set<number>(), template: new Set<number>() }
  return {
    objects,
    incidents,
    sliversOf,
    nodesOf,
    note(kind, action, id, owner) {
      const key = `${kind} ${id}`
      const before = objects.get(key)
      // An object that is created and then changed in one transaction has one event: `created`.
      const seen = before?.action === 'created' && action === 'updated' ? 'created' : action
      objects.set(key, { kind, action: seen, id: String(id), ...(owner && { owner }) })
    },
    noteSlivers: (of, id) => void sliversOf[of].add(id),
    targetsOf: (of, id) => void nodesOf[of].add(id),
    incident: (incident) => void incidents.push(incident),
  }
}
