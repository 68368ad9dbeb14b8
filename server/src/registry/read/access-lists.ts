import { sql } from 'kysely'
import { Group, Token, User } from '@community-lab/contract'
import { integer, object, text, type FilterColumns } from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import { readGroups, readTokens, readUsers } from './access.ts'
import type { ListSource } from './list-source.ts'
import { count } from './selection.ts'

/** The groups, as a list that the database filters and cuts in pages. */
export function listGroups({ db }: RegistryStore): ListSource<Group> {
  return {
    schema: Group,
    columns: groupColumns,
    count: (where) => count(db, sql`groups`, where),
    read: (page) => readGroups(db, page),
    after: ({ id }) => sql<boolean>`groups.id > ${id}`,
  }
}

/** The users. */
export function listUsers({ db }: RegistryStore): ListSource<User> {
  return {
    schema: User,
    columns: userColumns,
    count: (where) => count(db, sql`users`, where),
    read: (page) => readUsers(db, page),
    after: ({ id }) => sql<boolean>`users.id > ${id}`,
  }
}

/** The tokens; each node has one. */
export function listTokens({ db }: RegistryStore): ListSource<Token> {
  return {
    schema: Token,
    columns: tokenColumns,
    count: (where) => count(db, sql`tokens`, where),
    read: (page) => readTokens(db, page),
    after: ({ id }) => sql<boolean>`tokens.id > ${id}`,
  }
}

const groupColumns: FilterColumns = {
  '/id': integer(sql`groups.id`),
  '/name': text(sql`groups.name`),
  '/description': text(sql`groups.description`),
}

const userColumns: FilterColumns = {
  '/id': integer(sql`users.id`),
  '/name': text(sql`users.name`),
  '/group/id': integer(sql`users.group_id`),
  '/auth_tokens/_': (value) =>
    typeof value === 'string'
      ? sql<boolean>`${value} = any(users.auth_tokens)`
      : sql<boolean>`false`,
}

const tokenColumns: FilterColumns = {
  '/id': integer(sql`tokens.id`),
  '/name': text(sql`tokens.name`),
  '/role': text(sql`tokens.role`),
  '/scope': text(sql`tokens.scope`),
  '/user': object(sql`tokens.user_id`),
  '/user/id': integer(sql`tokens.user_id`),
  '/node': object(sql`tokens.node_id`),
  '/node/id': integer(sql`tokens.node_id`),
}
