import { sql } from 'kysely'
import { Host, Island, Server } from '@community-lab/contract'
import { integer, object, property, text } from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import type { ListSource } from './list-source.ts'
import { readNewestEvent } from './newest-event.ts'
import { count } from './selection.ts'

/** List the islands. The database filters them and divides them into pages. */
export function listIslands({ db, read }: RegistryStore): ListSource<Island> {
  return {
    schema: Island,
    columns: {
      '/id': integer(sql`islands.id`),
      '/name': text(sql`islands.name`),
      '/description': text(sql`islands.description`),
    },
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`islands`, where),
    read: (page) => read.islands(db, page),
    after: ({ id }) => sql<boolean>`islands.id > ${id}`,
  }
}

/** List the servers. */
export function listServers({ db, read }: RegistryStore): ListSource<Server> {
  return {
    schema: Server,
    columns: {
      '/id': integer(sql`servers.id`),
      '/name': text(sql`servers.name`),
      '/description': text(sql`servers.description`),
      '/properties/*': property(sql`servers.properties`),
      '/island': object(sql`servers.island_id`),
      '/island/id': integer(sql`servers.island_id`),
    },
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`servers`, where),
    read: (page) => read.servers(db, page),
    after: ({ id }) => sql<boolean>`servers.id > ${id}`,
  }
}

/** List the hosts. */
export function listHosts({ db, read }: RegistryStore): ListSource<Host> {
  return {
    schema: Host,
    columns: {
      '/id': integer(sql`hosts.id`),
      '/name': text(sql`hosts.name`),
      '/description': text(sql`hosts.description`),
      '/owner/id': integer(sql`hosts.owner_id`),
      '/island': object(sql`hosts.island_id`),
      '/island/id': integer(sql`hosts.island_id`),
      '/tinc/pubkey': text(sql`hosts.tinc_pubkey`),
    },
    version: () => readNewestEvent(db),
    count: (where) => count(db, sql`hosts`, where),
    read: (page) => read.hosts(db, page),
    after: ({ id }) => sql<boolean>`hosts.id > ${id}`,
  }
}
