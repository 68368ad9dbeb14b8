import { serverTincName, tincSubnet } from '@community-lab/contract'
import { sql } from 'kysely'
import type { TincHost } from '../registry.ts'
import type { Db } from './selection.ts'

/**
 * Read all machines that may join the management network, or those among some names: enrolled nodes, hosts of active users, and other servers. Sorted by name.
 */
export async function readTincHosts(
  db: Db,
  prefix: string,
  names?: readonly string[],
): Promise<readonly TincHost[]> {
  const among = names === undefined ? sql`true` : sql`name = any(${names}::text[])`
  const { rows } = await sql<{ name: string; pubkey: string }>`
    select name, pubkey from (
      select 'node_' || id as name, tinc_pubkey as pubkey from nodes
      union all
      select 'host_' || hosts.id, tinc_pubkey from hosts
        join users on users.id = hosts.owner_id where users.is_active
      union all
      select 'server_' || id, tinc_pubkey from servers where 'server_' || id <> ${serverTincName()}
    ) as machine
    where pubkey is not null and ${among}
    order by name`.execute(db)
  return rows.flatMap(({ name, pubkey }) => {
    const subnet = tincSubnet(prefix, name)
    return subnet === null ? [] : [{ name, pubkey, subnets: [subnet] }]
  })
}
