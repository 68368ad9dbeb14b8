import { sql, type Transaction } from 'kysely'
import {
  parseSliverId,
  sliverId,
  type ChangeEvent,
  type EventKind,
  type Incident,
} from '@community-lab/contract'
import { channels } from '../postgres/notifications.ts'
import type { Tables } from '../postgres/tables.ts'
import type { EventObject, Readers } from './read/readers.ts'

/** Whom an event is for, where it is not for everybody: those who may read an object of this group and user. */
export interface EventOwner {
  readonly groupId: number
  /** null: no user owns it. */
  readonly userId: number | null
}

/** An object that was made, changed or deleted. */
export interface Note {
  readonly kind: EventKind
  readonly action: ChangeEvent['action']
  readonly id: string
  /** The owner of a deleted object whose events are not for everybody. */
  readonly owner?: EventOwner
}

/** The notes from which the events of a change are made. */
export interface ChangeNotes {
  readonly objects: ReadonlyMap<string, Note>
  readonly incidents: readonly Incident[]
  /** Slices and nodes whose slivers have all changed. */
  readonly sliversOf: Readonly<Record<'slice' | 'node', ReadonlySet<number>>>
  /** Groups and templates whose nodes may have another target now. */
  readonly nodesOf: Readonly<Record<'group' | 'template', ReadonlySet<number>>>
}

/**
 * Number and write the events of a change that is about to commit.
 *
 * The counter's row is locked first and held until the commit, and the objects are read after that. So ids follow the order of commits, and an event contains
 * the changes of all events before it: a reader who applies them in order has the state of the database. The lock is taken after every other lock of the
 * transaction, and a transaction that holds it waits for no other lock.
 * Returns the nodes that `sliversOf` and `nodesOf` have found. A sliver that is added by a transaction which commits later is not among them; that transaction
 * notes its node.
 */
export async function writeEvents(
  tx: Transaction<Tables>,
  readers: Readers,
  { objects: noted, incidents, sliversOf, nodesOf }: ChangeNotes,
): Promise<readonly number[]> {
  const sought = [sliversOf.slice, sliversOf.node, nodesOf.group, nodesOf.template]
  if (noted.size + incidents.length === 0 && sought.every((ids) => ids.size === 0)) return []
  const { value: last } = await tx
    .selectFrom('counters')
    .select('value')
    .where('name', '=', 'event')
    .forUpdate()
    .executeTakeFirstOrThrow()
  const slivers = await findSlivers(tx, sliversOf)
  const notes = new Map(noted)
  for (const { slice_id: sliceId, node_id: nodeId } of slivers) {
    const id = sliverId(sliceId, nodeId)
    const key = `sliver ${id}`
    if (!notes.has(key)) notes.set(key, { kind: 'sliver', action: 'updated', id })
  }
  for (const { group_id: groupId } of await findGroups(tx, noted)) {
    const key = `group ${groupId}`
    if (!notes.has(key)) notes.set(key, { kind: 'group', action: 'updated', id: String(groupId) })
  }
  const objects = await readers.objects(tx, [...notes.values()])
  const events = [...notes].flatMap(([key, note]): NewEvent[] => {
    const object = objects.get(key) ?? null
    if (object === null) return note.action === 'deleted' ? [{ ...note, object }] : []
    const action = note.action === 'created' ? note.action : 'updated'
    return [{ ...note, action, object, ...ownerOf(object) }]
  })
  await insertEvents(tx, last, [...events, ...incidents.map(describeIncident)])
  const found = [...slivers, ...(await findNodes(tx, nodesOf))]
  return found.map(({ node_id: nodeId }) => nodeId)
}

interface NewEvent extends Note {
  readonly object: object | null
}

function ownerOf(object: EventObject): { readonly owner: EventOwner } | null {
  if ('decided_by' in object) return { owner: { groupId: object.group.id, userId: object.user.id } }
  return 'limit_ms' in object ? { owner: { groupId: object.group.id, userId: null } } : null
}

function describeIncident(incident: Incident): NewEvent {
  return { kind: 'incident', action: 'created', id: incident.node ?? 'unknown', object: incident }
}

async function findSlivers(
  tx: Transaction<Tables>,
  { slice, node }: ChangeNotes['sliversOf'],
): Promise<readonly { readonly slice_id: number; readonly node_id: number }[]> {
  if (slice.size + node.size === 0) return []
  return tx
    .selectFrom('slivers')
    .select(['slice_id', 'node_id'])
    .where((eb) =>
      eb.or([
        eb('slice_id', '=', sql<number>`any(${[...slice]}::int[])`),
        eb('node_id', '=', sql<number>`any(${[...node]}::int[])`),
      ]),
    )
    .orderBy('slice_id')
    .orderBy('node_id')
    .execute()
}

/** Find the groups that show something else now, because a slice of theirs was made or removed, or takes more or less. */
async function findGroups(
  tx: Transaction<Tables>,
  noted: ChangeNotes['objects'],
): Promise<readonly { readonly group_id: number }[]> {
  const notes = [...noted.values()]
  const withSlivers = new Set(
    notes.flatMap(({ kind, id }) =>
      kind === 'sliver' ? [String(parseSliverId(id)?.sliceId)] : [],
    ),
  )
  const sliceIds = notes.flatMap(({ kind, action, id }) =>
    kind === 'slice' && (action !== 'updated' || withSlivers.has(id)) ? [Number(id)] : [],
  )
  if (sliceIds.length === 0) return []
  // Rows of this table stay when a slice is removed.
  return tx
    .selectFrom('slice_owners')
    .innerJoin('groups', 'groups.id', 'slice_owners.group_id')
    .select('group_id')
    .distinct()
    .where('slice_id', '=', sql<number>`any(${sliceIds}::int[])`)
    .orderBy('group_id')
    .execute()
}

async function findNodes(
  tx: Transaction<Tables>,
  { group, template }: ChangeNotes['nodesOf'],
): Promise<readonly { readonly node_id: number }[]> {
  if (group.size + template.size === 0) return []
  return tx
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .select('slivers.node_id')
    .distinct()
    .where((eb) =>
      eb.or([
        eb('slices.group_id', '=', sql<number>`any(${[...group]}::int[])`),
        eb('slices.default_template_id', '=', sql<number>`any(${[...template]}::int[])`),
      ]),
    )
    .execute()
}

/** The most JSON in one statement, in characters: far below PostgreSQL's limit of 256 MiB for one document. */
const maxStatementChars = 16 * 1024 * 1024

async function insertEvents(
  tx: Transaction<Tables>,
  last: number,
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return
  const rows = events.map((event, index) => JSON.stringify({ ...event, number: last + index + 1 }))
  for (const part of splitByLength(rows, maxStatementChars))
    await sql`
      insert into events (id, kind, action, object_id, object, owner)
      select number, kind, action, id, nullif(object, 'null'::jsonb), owner
      from jsonb_to_recordset(${`[${part.join(',')}]`}::jsonb)
        as event (number bigint, kind text, action text, id text, object jsonb, owner jsonb)`.execute(
      tx,
    )
  const value = last + events.length
  await tx.updateTable('counters').set({ value }).where('name', '=', 'event').execute()
  await sql`select pg_notify(${channels.event}, ${String(value)})`.execute(tx)
}

function* splitByLength(texts: readonly string[], maxChars: number): Generator<string[]> {
  let part: string[] = []
  let chars = 0
  for (const text of texts) {
    if (part.length > 0 && chars + text.length > maxChars) {
      yield part
      part = []
      chars = 0
    }
    part.push(text)
    chars += text.length
  }
  if (part.length > 0) yield part
}
