import type { Island, IslandCreate, IslandPatch } from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import type { Change } from '../change.ts'
import { checkIfMatch } from '../etag.ts'
import type { RegistryStore } from '../store.ts'
import { claimName } from './claim-name.ts'
import { lockRow } from './lock-row.ts'

/** Read one island. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readIsland(
  { db, read }: RegistryStore,
  id: number,
  tx = db,
): Promise<Island> {
  return found((await read.islands(tx, { ids: [id] }))[0], 'island', id)
}

/** Make an island. @throws {@link LabError} LAB_NAME_TAKEN. */
export async function createIsland(
  store: RegistryStore,
  { name, description = '' }: IslandCreate,
): Promise<Island> {
  return store.change(async (change) => {
    const { id } = await claimName(
      'island',
      name,
      change.tx
        .insertInto('islands')
        .values({ name, description })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    change.note('island', 'created', id)
    return readIsland(store, id, change.tx)
  })
}

/** Change an island. @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_REQUEST_PRECONDITION_FAILED. */
export async function patchIsland(
  store: RegistryStore,
  id: number,
  body: IslandPatch,
  ifMatch: string | null,
): Promise<Island> {
  return store.change(async (change) => {
    const before = await lockIsland(store, change, id)
    checkIfMatch(ifMatch, before)
    const { name = before.name, description = before.description } = body
    await claimName(
      'island',
      name,
      change.tx.updateTable('islands').set({ name, description }).where('id', '=', id).execute(),
    )
    change.note('island', 'updated', id)
    return readIsland(store, id, change.tx)
  })
}

/** Remove an island. Nodes, servers and hosts that were on it are on none. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED. */
export async function deleteIsland(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    checkIfMatch(ifMatch, await lockIsland(store, change, id))
    for (const kind of ['node', 'server', 'host'] as const) {
      const left = await change.tx
        .updateTable(`${kind}s`)
        .set({ island_id: null })
        .where('island_id', '=', id)
        .returning('id')
        .execute()
      for (const one of left) change.note(kind, 'updated', one.id)
    }
    await change.tx.deleteFrom('islands').where('id', '=', id).execute()
    change.note('island', 'deleted', id)
  })
}

/**
 * Return the id of the island for a row: the one of a request, which must exist, or the present one when the request names none.
 *
 * @throws {@link LabError} LAB_NOT_FOUND.
 */
export async function chooseIsland(
  { tx }: Change,
  named: { readonly id: number } | null | undefined,
  present: { readonly id: number } | null,
): Promise<number | null> {
  if (named === undefined) return present?.id ?? null
  if (named === null) return null
  // The lock keeps the island until the end of the transaction.
  const row = await tx
    .selectFrom('islands')
    .select('id')
    .where('id', '=', named.id)
    .forKeyShare()
    .executeTakeFirst()
  return found(row, 'island', named.id).id
}

async function lockIsland(store: RegistryStore, change: Change, id: number): Promise<Island> {
  await lockRow(change, 'islands', { id, forRemoval: true })
  return readIsland(store, id, change.tx)
}
