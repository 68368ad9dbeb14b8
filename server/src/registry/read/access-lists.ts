import { sql, type RawBuilder } from 'kysely'
import {
  Agreement,
  Group,
  GroupRequest,
  notificationKinds,
  Token,
  User,
} from '@community-lab/contract'
import {
  boolean,
  both,
  integer,
  object,
  text,
  type FilterColumn,
  type FilterColumns,
} from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import {
  readAgreements,
  readGroups,
  readRequests,
  readTokens,
  readUsers,
  type KeysShown,
} from './access.ts'
import type { ListSource } from './list-source.ts'
import { count } from './selection.ts'

/** List the groups. The database filters them and divides them into pages. */
export function listGroups({ db }: RegistryStore): ListSource<Group> {
  return {
    schema: Group,
    columns: groupColumns,
    count: (where) => count(db, sql`groups`, where),
    read: (page) => readGroups(db, page),
    after: ({ id }) => sql<boolean>`groups.id > ${id}`,
  }
}

/** List the users, as an asker may see them. */
export function listUsers({ db }: RegistryStore, keysShown: KeysShown): ListSource<User> {
  return {
    schema: User,
    columns: userColumns(keysShown),
    count: (where) => count(db, sql`users`, where),
    read: (page) => readUsers(db, { ...page, keysShown }),
    after: ({ id }) => sql<boolean>`users.id > ${id}`,
  }
}

/** List the tokens. Each node has one, too. With `ofUser`, only those of a user. */
export function listTokens({ db }: RegistryStore, ofUser: number | 'anybody'): ListSource<Token> {
  const among = ofUser === 'anybody' ? sql<boolean>`true` : sql<boolean>`tokens.user_id = ${ofUser}`
  return {
    schema: Token,
    columns: tokenColumns,
    count: (where) => count(db, sql`tokens`, both(among, where)),
    read: ({ where, ...page }) => readTokens(db, { ...page, where: both(among, where) }),
    after: ({ id }) => sql<boolean>`tokens.id > ${id}`,
  }
}

/** List the versions of the testbed's agreement. */
export function listAgreements({ db }: RegistryStore): ListSource<Agreement> {
  return {
    schema: Agreement,
    columns: { '/id': integer(sql`agreements.version`) },
    count: (where) => count(db, sql`agreements`, where),
    read: (page) => readAgreements(db, page),
    after: ({ id }) => sql<boolean>`agreements.version > ${id}`,
  }
}

/** Which requests are listed: all, or those of a user and those to the groups that the user administers. */
export type RequestsShown =
  'all' | { readonly userId: number | null; readonly groupIds: readonly number[] }

/** List the requests. */
export function listRequests(
  { db }: RegistryStore,
  shown: RequestsShown,
): ListSource<GroupRequest> {
  const among =
    shown === 'all'
      ? sql<boolean>`true`
      : sql<boolean>`(requests.user_id = ${shown.userId} or requests.group_id = any(${shown.groupIds}::int[]))`
  return {
    schema: GroupRequest,
    columns: requestColumns,
    count: (where) => count(db, sql`requests`, both(among, where)),
    read: ({ where, ...page }) => readRequests(db, { ...page, where: both(among, where) }),
    after: ({ id }) => sql<boolean>`requests.id > ${id}`,
  }
}

const groupColumns: FilterColumns = {
  '/id': integer(sql`groups.id`),
  '/name': text(sql`groups.name`),
  '/description': text(sql`groups.description`),
  '/allow_nodes': boolean(sql`groups.allow_nodes`),
  '/allow_slices': boolean(sql`groups.allow_slices`),
  '/user_roles/_/user/id': inRoles((value) => sql`group_id = groups.id and user_id = ${value}`),
}

function userColumns(keysShown: KeysShown): FilterColumns {
  // A filter must not disclose what the list does not show.
  const shown =
    keysShown === 'all' ? sql<boolean>`true` : sql<boolean>`users.id = ${keysShown.ofUser}`
  return {
    '/id': integer(sql`users.id`),
    '/name': text(sql`users.name`),
    '/description': text(sql`users.description`),
    '/is_active': boolean(sql`users.is_active`),
    '/is_superuser': boolean(sql`users.is_superuser`),
    '/group_roles/_/group/id': inRoles((value) => sql`user_id = users.id and group_id = ${value}`),
    '/email': (value) =>
      typeof value === 'string'
        ? sql<boolean>`${shown} and users.email = ${value}`
        : sql<boolean>`${shown} and ${value === null} and users.email is null`,
    '/has_password': (value) =>
      sql<boolean>`${shown} and (users.password is not null) = ${value === true}`,
    ...Object.fromEntries(
      notificationKinds.map((kind) => [
        `/notifications/${kind}`,
        (value: unknown) =>
          typeof value === 'boolean'
            ? sql<boolean>`${shown} and not (${kind}::text = any(users.muted)) = ${value}`
            : sql<boolean>`false`,
      ]),
    ),
    '/auth_tokens/_': (value) =>
      typeof value === 'string'
        ? sql<boolean>`${shown} and ${value} = any(users.auth_tokens)`
        : sql<boolean>`false`,
  }
}

const requestColumns: FilterColumns = {
  '/id': integer(sql`requests.id`),
  '/kind': text(sql`requests.kind`),
  '/state': text(sql`requests.state`),
  '/group/id': integer(sql`requests.group_id`),
  '/user/id': integer(sql`requests.user_id`),
}

function inRoles(condition: (value: number) => RawBuilder<unknown>): FilterColumn {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31
      ? sql<boolean>`exists (select from group_roles where ${condition(value)})`
      : sql<boolean>`false`
}

const tokenColumns: FilterColumns = {
  '/id': integer(sql`tokens.id`),
  '/name': text(sql`tokens.name`),
  '/role': text(sql`tokens.role`),
  '/scope': text(sql`tokens.scope`),
  '/kind': text(sql`tokens.kind`),
  '/made_from': text(sql`tokens.made_from`),
  '/user': object(sql`tokens.user_id`),
  '/user/id': integer(sql`tokens.user_id`),
  '/node': object(sql`tokens.node_id`),
  '/node/id': integer(sql`tokens.node_id`),
}
