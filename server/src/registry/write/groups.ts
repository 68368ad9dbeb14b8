import {
  LabError,
  type AgreementAccept,
  type Group,
  type GroupCreate,
  type GroupPatch,
  type Quotas,
  type QuotasPatch,
} from '@community-lab/contract'
import { readGroups } from '../read/access.ts'
import type { Db } from '../read/selection.ts'
import type { Change } from '../change.ts'
import { checkIfMatch } from '../etag.ts'
import { found } from '../../domain/found.ts'
import { claimName } from './claim-name.ts'
import type { RegistryStore } from '../store.ts'
import {
  cutOpenOf,
  lockGroup,
  newestAgreement,
  requireAdmins,
  type Allowed,
} from './group-rules.ts'
import { noteGroup } from './party-notes.ts'
import { deleteRequests } from './requests.ts'
import { replaceRoles } from './roles.ts'
import { noteSlice } from './slices.ts'
import { requireRoom } from './user-bounds.ts'

/** Read one group. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readGroup(db: Db, id: number): Promise<Group> {
  return found((await readGroups(db, { ids: [id] }))[0], 'group', id)
}

/** Create a group. It accepts the agreement at the same time, and its creator is its admin. @throws {@link LabError} LAB_NAME_TAKEN, LAB_GROUP_AGREEMENT, LAB_ACCESS_TOO_MANY. */
export async function createGroup(
  store: RegistryStore,
  userId: number,
  { name, description = '', agreement }: GroupCreate,
): Promise<Group> {
  return store.change(async (change) => {
    await requireRoom(change, userId, 'groups')
    const newest = await newestAgreement(change)
    if ((agreement ?? null) !== newest) throw new LabError('LAB_GROUP_AGREEMENT', { newest })
    const { id } = await claimName(
      'group',
      name,
      change.tx
        .insertInto('groups')
        .values({ name, description, ...acceptance(newest) })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    const flags = { is_group_admin: true, is_node_admin: false, is_slice_admin: false }
    await change.tx
      .insertInto('group_roles')
      .values({ group_id: id, user_id: userId, ...flags })
      .execute()
    change.trace('group', 'created', id)
    change.note('group', 'created', id)
    change.note('user', 'updated', userId)
    return readGroup(change.tx, id)
  })
}

/** Options of {@link patchGroup}. */
export interface GroupPatchOptions {
  readonly ifMatch: string | null
  /** The user who changes the group. Requests that the change accepts are decided by this user. */
  readonly byUserId: number
  /** Whether users may become members without a request of theirs. */
  readonly mayAddUnasked: boolean
}

/**
 * Change a group. When its right to nodes or slices is withdrawn, they stop: its nodes go from production to safe, its slices from start to deploy.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_GROUP_LAST_ADMIN, LAB_GROUP_MEMBER_UNASKED, LAB_REQUEST_PRECONDITION_FAILED.
 */
export async function patchGroup(
  store: RegistryStore,
  id: number,
  { user_roles: roles, quotas, ...body }: GroupPatch,
  options: GroupPatchOptions,
): Promise<Group> {
  return store.change(async (change) => {
    const before = await lockGroup(change, id)
    checkIfMatch(options.ifMatch, await readGroup(change.tx, id))
    await claimName(
      'group',
      body.name ?? before.name,
      change.tx
        .updateTable('groups')
        .set({
          name: body.name ?? before.name,
          description: body.description ?? before.description,
          allow_nodes: body.allow_nodes ?? before.allow_nodes,
          allow_slices: body.allow_slices ?? before.allow_slices,
          quotas: JSON.stringify(changeQuotas(before.quotas, quotas)),
        })
        .where('id', '=', id)
        .execute(),
    )
    if (roles !== undefined) await replaceRoles(change, { id, name: before.name }, roles, options)
    for (const what of ['nodes', 'slices'] as const)
      if (body[`allow_${what}`] === false) await demote(change, id, what)
    noteGroup(change, id)
    return readGroup(change.tx, id)
  })
}

/** Remove a member who leaves a group. @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_LAST_ADMIN. */
export async function leaveGroup(store: RegistryStore, id: number, userId: number): Promise<void> {
  await store.change(async (change) => {
    await lockGroup(change, id)
    await change.tx
      .deleteFrom('group_roles')
      .where('group_id', '=', id)
      .where('user_id', '=', userId)
      .execute()
    await requireAdmins(change, [id], { mayBeEmpty: false })
    noteGroup(change, id)
    change.note('user', 'updated', userId)
    change.targetsOf('group', id)
    await cutOpenOf(change, [userId])
  })
}

/** Accept the newest agreement for a group. @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_AGREEMENT. */
export async function acceptAgreement(
  store: RegistryStore,
  id: number,
  { agreement }: AgreementAccept,
): Promise<Group> {
  return store.change(async (change) => {
    const before = await lockGroup(change, id)
    const newest = await newestAgreement(change)
    if (newest !== agreement) throw new LabError('LAB_GROUP_AGREEMENT', { newest })
    noteGroup(change, id)
    if (before.agreement_version !== newest)
      await change.tx.updateTable('groups').set(acceptance(newest)).where('id', '=', id).execute()
    return readGroup(change.tx, id)
  })
}

/** Remove a group that owns nothing. Its members remain users, and only operators read what its slices measured. @throws {@link LabError} LAB_NOT_FOUND, LAB_GROUP_IN_USE, LAB_REQUEST_PRECONDITION_FAILED. */
export async function deleteGroup(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    await lockGroup(change, id)
    const group = await readGroup(change.tx, id)
    checkIfMatch(ifMatch, group)
    const { templates } = await change.tx
      .selectFrom('templates')
      .select((eb) => eb.fn.countAll<number>().as('templates'))
      .where('group_id', '=', id)
      .executeTakeFirstOrThrow()
    const [nodes, slices] = [group.nodes.length, group.slices.length]
    if (nodes + slices + templates > 0)
      throw new LabError('LAB_GROUP_IN_USE', { group: group.name, nodes, slices, templates })
    await deleteRequests(change, { groupId: id })
    await change.tx.deleteFrom('groups').where('id', '=', id).execute()
    change.trace('group', 'deleted', id, group.name)
    change.note('group', 'deleted', id)
    for (const { user } of group.user_roles) change.note('user', 'updated', user.id)
  })
}

/** Return the quotas that are set after a change. Null removes one, so that the default counts again. */
function changeQuotas(before: Partial<Quotas>, patch: QuotasPatch = {}): Partial<Quotas> {
  const changed = Object.entries({ ...before, ...patch }).filter(([, amount]) => amount !== null)
  return Object.fromEntries(changed)
}

function acceptance(version: number | null) {
  return {
    agreement_version: version,
    agreement_accepted_on: version === null ? null : new Date(),
  }
}

/** Stop the nodes or slices that a group is not allowed any more. Source: CONFINE, withdrawal demotes nodes to safe and slices to deploy. */
async function demote(change: Change, groupId: number, what: Allowed): Promise<void> {
  if (what === 'slices') {
    const slices = await change.tx
      .updateTable('slices')
      .set({ set_state: 'deploy' })
      .where('group_id', '=', groupId)
      .where('set_state', '=', 'start')
      .returning('id')
      .execute()
    for (const { id } of slices) noteSlice(change, id)
    return
  }
  const nodes = await change.tx
    .updateTable('nodes')
    .set({ set_state: 'safe' })
    .where('group_id', '=', groupId)
    .where('set_state', '=', 'production')
    .returning('id')
    .execute()
  for (const { id } of nodes) {
    change.note('node', 'updated', id)
    change.target(id)
  }
}
