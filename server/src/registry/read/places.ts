import {
  hostManagementAddress,
  hostTincName,
  path,
  routes,
  serverManagementAddress,
  serverTincName,
  type Host,
  type Island,
  type Ref,
  type Server,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { selectPart, type Db, type Selection, type Surroundings } from './selection.ts'

/** Read islands. */
export async function readIslands(db: Db, { ids, ...part }: Selection = {}): Promise<Island[]> {
  let query = db.selectFrom('islands').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  const rows = await selectPart(query, part).execute()
  return rows.map((row) => ({ uri: path(routes.island, { id: row.id }), ...row }))
}

/** Read servers. */
export async function readServers(
  db: Db,
  { mgmtPrefix }: Surroundings,
  { ids, ...part }: Selection = {},
): Promise<Server[]> {
  let query = db.selectFrom('servers').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  const rows = await selectPart(query, part).execute()
  return rows.map(({ id, name, description, properties, api, cn, ...row }) => ({
    uri: path(routes.server, { id }),
    id,
    name,
    description,
    properties,
    island: islandRef(row.island_id),
    api,
    mgmt_net: { backend: 'tinc', addr: serverManagementAddress(mgmtPrefix, id) },
    tinc: { name: serverTincName(id), pubkey: row.tinc_pubkey, addresses: row.tinc_addresses },
    cn,
  }))
}

/** Read hosts. */
export async function readHosts(
  db: Db,
  { mgmtPrefix }: Surroundings,
  { ids, ...part }: Selection = {},
): Promise<Host[]> {
  let query = db.selectFrom('hosts').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  const rows = await selectPart(query, part).execute()
  return rows.map(({ id, name, description, ...row }) => ({
    uri: path(routes.host, { id }),
    id,
    name,
    description,
    owner: { uri: path(routes.user, { id: row.owner_id }), id: row.owner_id },
    island: islandRef(row.island_id),
    mgmt_net: { backend: 'tinc', addr: hostManagementAddress(mgmtPrefix, id) },
    tinc: { name: hostTincName(id), pubkey: row.tinc_pubkey },
  }))
}

/** Return the reference to an island; null: none is named. */
export function islandRef(id: number | null): Ref | null {
  return id === null ? null : { uri: path(routes.island, { id }), id }
}
