import { hostTincName, type Host, type HostCreate, type HostPatch } from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import type { Change } from '../change.ts'
import { checkIfMatch } from '../etag.ts'
import type { RegistryStore } from '../store.ts'
import { claimName } from './claim-name.ts'
import { chooseIsland } from './islands.ts'
import { lockRow } from './lock-row.ts'
import { readTincInput } from './tinc-key.ts'
import { requireRoom } from './user-bounds.ts'

/** Read one host. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readHost({ db, read }: RegistryStore, id: number, tx = db): Promise<Host> {
  return found((await read.hosts(tx, { ids: [id] }))[0], 'host', id)
}

/** Register a machine of a user. @throws {@link LabError} LAB_NAME_TAKEN, LAB_NOT_FOUND, LAB_REQUEST_INVALID, LAB_ACCESS_TOO_MANY. */
export async function createHost(
  store: RegistryStore,
  ownerId: number,
  { name, description = '', island, tinc }: HostCreate,
): Promise<Host> {
  const pubkey = readTincInput(tinc)
  return store.change(async (change) => {
    await requireRoom(change, ownerId, 'hosts')
    const { id } = await claimName(
      'host',
      name,
      change.tx
        .insertInto('hosts')
        .values({
          name,
          description,
          owner_id: ownerId,
          island_id: await chooseIsland(change, island, null),
          tinc_pubkey: pubkey,
        })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    change.note('host', 'created', id)
    change.tincHost(hostTincName(id))
    return readHost(store, id, change.tx)
  })
}

/**
 * Change a host.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_REQUEST_INVALID, LAB_ACCESS_TOO_MANY, LAB_REQUEST_PRECONDITION_FAILED.
 */
export async function patchHost(
  store: RegistryStore,
  id: number,
  body: HostPatch,
  ifMatch: string | null,
): Promise<Host> {
  const pubkey = readTincInput(body.tinc)
  return store.change(async (change) => {
    const before = await lockHost(store, change, id)
    checkIfMatch(ifMatch, before)
    const ownerId = body.owner?.id ?? before.owner.id
    if (ownerId !== before.owner.id) await requireRoom(change, ownerId, 'hosts')
    const name = body.name ?? before.name
    await claimName(
      'host',
      name,
      change.tx
        .updateTable('hosts')
        .set({
          name,
          description: body.description ?? before.description,
          owner_id: ownerId,
          island_id: await chooseIsland(change, body.island, before.island),
          tinc_pubkey: body.tinc === undefined ? before.tinc.pubkey : pubkey,
        })
        .where('id', '=', id)
        .execute(),
    )
    change.note('host', 'updated', id)
    change.tincHost(hostTincName(id))
    return readHost(store, id, change.tx)
  })
}

/** Remove a host. It may not join the management network any more. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED. */
export async function deleteHost(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    checkIfMatch(ifMatch, await lockHost(store, change, id))
    await change.tx.deleteFrom('hosts').where('id', '=', id).execute()
    change.note('host', 'deleted', id)
    change.tincHost(hostTincName(id))
  })
}

/** Remove the hosts of a user who is about to be removed. */
export async function deleteHostsOf(change: Change, ownerId: number): Promise<void> {
  const hosts = await change.tx
    .deleteFrom('hosts')
    .where('owner_id', '=', ownerId)
    .returning('id')
    .execute()
  for (const { id } of hosts) {
    change.note('host', 'deleted', id)
    change.tincHost(hostTincName(id))
  }
}

/** Note that the hosts of a user may join the management network again, or not any more, because the user was enabled or disabled. */
export async function noteHostsOf(change: Change, ownerId: number): Promise<void> {
  const hosts = await change.tx
    .selectFrom('hosts')
    .select('id')
    .where('owner_id', '=', ownerId)
    .execute()
  for (const { id } of hosts) change.tincHost(hostTincName(id))
}

async function lockHost(store: RegistryStore, change: Change, id: number): Promise<Host> {
  await lockRow(change, 'hosts', { id, forRemoval: true })
  return readHost(store, id, change.tx)
}
