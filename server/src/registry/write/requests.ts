import {
  LabError,
  type GroupRequest,
  type GroupRequestAccept,
  type GroupRequestCreate,
} from '@community-lab/contract'
import { readRequests } from '../read/access.ts'
import type { Db } from '../read/selection.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'
import { lockGroup, newestAgreement } from './group-rules.ts'
import { noteGroup, noteRequest } from './party-notes.ts'
import { flagsOf } from './roles.ts'
import { requireRoom } from './user-bounds.ts'

/** Read one request. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readRequest(db: Db, id: number): Promise<GroupRequest> {
  return found((await readRequests(db, { ids: [id] }))[0], 'request', id)
}

/**
 * Create a request to join a group, or to allow a group nodes or slices.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_REQUEST_PENDING, LAB_GROUP_REQUEST_NEEDLESS, LAB_ACCESS_TOO_MANY; LAB_GROUP_AGREEMENT when the group
 * has not accepted the newest agreement.
 */
export async function createRequest(
  store: RegistryStore,
  userId: number,
  { kind, group: { id: groupId }, message = '' }: GroupRequestCreate,
): Promise<GroupRequest> {
  return store.change(async (change) => {
    const { tx } = change
    await requireRoom(change, userId, 'requests')
    const group = await lockGroup(change, groupId)
    const reason = await findNeedless(change, { kind, group, userId })
    if (reason !== null) throw new LabError('LAB_GROUP_REQUEST_NEEDLESS', { reason })
    const newest = await newestAgreement(change)
    if (kind !== 'join' && group.agreement_version !== newest)
      throw new LabError('LAB_GROUP_AGREEMENT', { newest })
    const pending = await tx
      .selectFrom('requests')
      .select('id')
      .where('kind', '=', kind)
      .where('group_id', '=', groupId)
      .where('state', '=', 'pending')
      .$if(kind === 'join', (query) => query.where('user_id', '=', userId))
      .executeTakeFirst()
    if (pending !== undefined)
      throw new LabError('LAB_GROUP_REQUEST_PENDING', {
        kind,
        group: group.name,
        request: pending.id,
      })
    const { id } = await tx
      .insertInto('requests')
      .values({ kind, group_id: groupId, user_id: userId, message })
      .returning('id')
      .executeTakeFirstOrThrow()
    change.trace('request', 'created', id)
    change.note('request', 'created', id)
    return readRequest(tx, id)
  })
}

/** The decision of a request. */
export interface Decision {
  readonly byUserId: number
  readonly state: 'accepted' | 'refused'
  /** The rights of a new member. */
  readonly flags?: GroupRequestAccept
}

/** Decide a request, and carry it out when it is accepted. @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_REQUEST_DECIDED. */
export async function decideRequest(
  store: RegistryStore,
  id: number,
  { byUserId, state, flags = {} }: Decision,
): Promise<GroupRequest> {
  return store.change(async (change) => {
    const { tx } = change
    const request = await lockPending(change, id)
    await tx
      .updateTable('requests')
      .set({ state, decided_on: new Date(), decided_by: byUserId })
      .where('id', '=', id)
      .execute()
    noteRequest(change, id)
    if (state === 'accepted') await fulfil(change, request, flags)
    return readRequest(tx, id)
  })
}

/** Withdraw a request that nobody has decided yet. @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_REQUEST_DECIDED. */
export async function deleteRequest(store: RegistryStore, id: number): Promise<void> {
  await store.change(async (change) => {
    const { group_id: groupId, user_id: userId } = await lockPending(change, id)
    await change.tx.deleteFrom('requests').where('id', '=', id).execute()
    change.trace('request', 'deleted', id)
    change.note('request', 'deleted', id, { groupId, userId })
  })
}

/** Delete the requests of a group or of a user who is removed. Who decided requests of others is not known any more. */
export async function deleteRequests(
  change: Change,
  of: { readonly groupId: number } | { readonly userId: number },
): Promise<void> {
  const gone = await change.tx
    .deleteFrom('requests')
    .where((eb) =>
      'groupId' in of ? eb('group_id', '=', of.groupId) : eb('user_id', '=', of.userId),
    )
    .returning(['id', 'group_id', 'user_id'])
    .execute()
  for (const { id, group_id: groupId, user_id: userId } of gone)
    change.note('request', 'deleted', id, { groupId, userId })
  if ('groupId' in of) return
  const decided = await change.tx
    .updateTable('requests')
    .set({ decided_by: null })
    .where('decided_by', '=', of.userId)
    .returning('id')
    .execute()
  for (const { id } of decided) change.note('request', 'updated', id)
}

type RequestRow = Awaited<ReturnType<typeof lockPending>>

/** Lock a request and its group until the end of the transaction. Everything that changes a group locks the group first. */
async function lockPending(change: Change, id: number) {
  const { group } = await readRequest(change.tx, id)
  await lockGroup(change, group.id)
  const row = await change.tx
    .selectFrom('requests')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  const request = found(row, 'request', id)
  if (request.state !== 'pending')
    throw new LabError('LAB_GROUP_REQUEST_DECIDED', { request: id, state: request.state })
  return request
}

async function fulfil(
  change: Change,
  { kind, group_id: groupId, user_id: userId }: RequestRow,
  flags: GroupRequestAccept,
): Promise<void> {
  noteGroup(change, groupId)
  if (kind !== 'join') {
    await change.tx
      .updateTable('groups')
      .set({ [kind]: true })
      .where('id', '=', groupId)
      .execute()
    return
  }
  await change.tx
    .insertInto('group_roles')
    .values({ group_id: groupId, user_id: userId, ...flagsOf(flags) })
    // An operator may have added the member meanwhile.
    .onConflict((conflict) => conflict.columns(['group_id', 'user_id']).doNothing())
    .execute()
  change.note('user', 'updated', userId)
  change.targetsOf('group', groupId)
}

interface Asked {
  readonly kind: GroupRequest['kind']
  readonly group: Awaited<ReturnType<typeof lockGroup>>
  readonly userId: number
}

/** Say why a request is not needed; null when it is. */
async function findNeedless(
  change: Change,
  { kind, group, userId }: Asked,
): Promise<string | null> {
  if (kind === 'allow_nodes')
    return group.allow_nodes ? `group ${group.name} is allowed nodes already` : null
  if (kind === 'allow_slices')
    return group.allow_slices ? `group ${group.name} is allowed slices already` : null
  const role = await change.tx
    .selectFrom('group_roles')
    .select('user_id')
    .where('group_id', '=', group.id)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return role === undefined ? null : `the user is a member of group ${group.name} already`
}
