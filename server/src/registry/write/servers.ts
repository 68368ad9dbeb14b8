import { isDeepStrictEqual } from 'node:util'
import {
  LabError,
  parseTincName,
  serverTincName,
  type Server,
  type ServerApi,
  type ServerCreate,
  type ServerPatch,
} from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import type { Change } from '../change.ts'
import { checkIfMatch } from '../etag.ts'
import type { RegistryStore } from '../store.ts'
import { claimName } from './claim-name.ts'
import { chooseIsland } from './islands.ts'
import { lockRow } from './lock-row.ts'
import { readTincInput } from './tinc-key.ts'

/** The id of the server that answers. Source: CONFINE, the first server has the id 2. */
const ownServerId = parseTincName(serverTincName())?.id ?? 2

/** Read one server. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readServer(
  { db, read }: RegistryStore,
  id: number,
  tx = db,
): Promise<Server> {
  return found((await read.servers(tx, { ids: [id] }))[0], 'server', id)
}

/** Register another server of the testbed. @throws {@link LabError} LAB_NAME_TAKEN, LAB_NOT_FOUND, LAB_REQUEST_INVALID. */
export async function createServer(
  store: RegistryStore,
  { name, description = '', tinc, ...body }: ServerCreate,
): Promise<Server> {
  const pubkey = readTincInput(tinc)
  return store.change(async (change) => {
    const { id } = await claimName(
      'server',
      name,
      change.tx
        .insertInto('servers')
        .values({
          name,
          description,
          properties: JSON.stringify(body.properties ?? {}),
          island_id: await chooseIsland(change, body.island, null),
          api: JSON.stringify(readApi(body.api ?? [])),
          tinc_pubkey: pubkey,
          tinc_addresses: '[]',
          cn: body.cn === undefined || body.cn === null ? null : JSON.stringify(body.cn),
        })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    change.note('server', 'created', id)
    change.tincHost(serverTincName(id))
    return readServer(store, id, change.tx)
  })
}

/**
 * Change a server.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_SERVER_ITSELF, LAB_REQUEST_INVALID, LAB_REQUEST_PRECONDITION_FAILED.
 */
export async function patchServer(
  store: RegistryStore,
  id: number,
  body: ServerPatch,
  ifMatch: string | null,
): Promise<Server> {
  const pubkey = readTincInput(body.tinc)
  return store.change(async (change) => {
    const before = await lockServer(store, change, id)
    checkIfMatch(ifMatch, before)
    const api = body.api === undefined ? before.api : readApi(body.api)
    const key = body.tinc === undefined ? before.tinc.pubkey : pubkey
    const isSame = key === before.tinc.pubkey && isDeepStrictEqual(api, before.api)
    if (id === ownServerId && !isSame)
      throw new LabError('LAB_SERVER_ITSELF', { server: before.name, action: 'change' })
    const name = body.name ?? before.name
    const cn = body.cn === undefined ? before.cn : body.cn
    await claimName(
      'server',
      name,
      change.tx
        .updateTable('servers')
        .set({
          name,
          description: body.description ?? before.description,
          properties: JSON.stringify(body.properties ?? before.properties),
          island_id: await chooseIsland(change, body.island, before.island),
          api: JSON.stringify(api),
          tinc_pubkey: key,
          cn: cn === null ? null : JSON.stringify(cn),
        })
        .where('id', '=', id)
        .execute(),
    )
    change.note('server', 'updated', id)
    if (key !== before.tinc.pubkey) change.tincHost(serverTincName(id))
    return readServer(store, id, change.tx)
  })
}

/** Remove another server. @throws {@link LabError} LAB_NOT_FOUND, LAB_SERVER_ITSELF, LAB_REQUEST_PRECONDITION_FAILED. */
export async function deleteServer(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    const before = await lockServer(store, change, id)
    checkIfMatch(ifMatch, before)
    if (id === ownServerId)
      throw new LabError('LAB_SERVER_ITSELF', { server: before.name, action: 'remove' })
    await change.tx.deleteFrom('servers').where('id', '=', id).execute()
    change.note('server', 'deleted', id)
    change.tincHost(serverTincName(id))
  })
}

/** What the server that answers knows about itself from its settings. */
export interface OwnServer {
  readonly api: readonly ServerApi[]
  readonly pubkey: string
  readonly addresses: Server['tinc']['addresses']
}

/** Write what the server that answers knows about itself, if it has changed since its last start. */
export async function describeOwnServer(store: RegistryStore, own: OwnServer): Promise<void> {
  const { tinc, api } = await readServer(store, ownServerId)
  const wanted = { api: own.api, pubkey: own.pubkey, addresses: own.addresses }
  const present = { api, pubkey: tinc.pubkey, addresses: tinc.addresses }
  if (isDeepStrictEqual(wanted, present)) return
  await store.change(async (change) => {
    await change.tx
      .updateTable('servers')
      .set({
        api: JSON.stringify(own.api),
        tinc_pubkey: own.pubkey,
        tinc_addresses: JSON.stringify(own.addresses),
      })
      .where('id', '=', ownServerId)
      .execute()
    change.note('server', 'updated', ownServerId)
  })
}

function readApi(given: NonNullable<ServerPatch['api']>): ServerApi[] {
  return given.map(({ type, base_uri, cert = null }) => ({ type, base_uri, cert }))
}

async function lockServer(store: RegistryStore, change: Change, id: number): Promise<Server> {
  await lockRow(change, 'servers', { id, forRemoval: true })
  return readServer(store, id, change.tx)
}
