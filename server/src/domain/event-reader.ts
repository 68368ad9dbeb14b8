import type { ChangeEvent } from '@community-lab/contract'
import { findRefusal, type Asker, type Owner } from './asker.ts'

/** Tell whether a reader gets the events of an object: whether the reader may read the object. `owner` is that of a request or a run. */
export function getsEventsOf(
  kind: ChangeEvent['kind'],
  reader: Asker,
  owner: Owner | null,
): boolean {
  if (kind === 'user') return findRefusal('read users', reader, {}) === null
  if (kind === 'request') return findRefusal('read a request', reader, owner ?? {}) === null
  if (kind === 'run') return findRefusal('read a run', reader, owner ?? {}) === null
  return true
}

/** Return a reader with the roles that an event of a group shows. */
export function followRoles(reader: Asker, { kind, object_id: id, object }: ChangeEvent): Asker {
  if (kind !== 'group' || reader.userId === null) return reader
  const groupId = Number(id)
  const others = reader.memberships.filter((one) => one.groupId !== groupId)
  const roles = object !== null && 'user_roles' in object ? object.user_roles : []
  const own = roles.find(({ user }) => user.id === reader.userId)
  if (own === undefined) return { ...reader, memberships: others }
  const membership = {
    groupId,
    isGroupAdmin: own.is_group_admin,
    isNodeAdmin: own.is_node_admin,
    isSliceAdmin: own.is_slice_admin,
  }
  return { ...reader, memberships: [...others, membership] }
}
