import { randomBytes } from 'node:crypto'
import {
  AuthChanged,
  Group,
  LabError,
  path,
  routes,
  TokenCreated,
  User,
  WhoAmI,
} from '@community-lab/contract'
import Type from 'typebox'
import { maybeCredentials } from './credentials.ts'
import type { ServerClient } from './server-client.ts'

/** The credentials files of the people of a virtual testbed. */
export interface PeopleFiles {
  /** `researcher`, the admin of the group `local`. The group is allowed slices. */
  readonly credentials: string
  /** `student`, a member of `local` without a role, who may read the samples of its slices. */
  readonly studentCredentials: string
  /** `owner`, the admin of the group `lenders`. The group is allowed nodes, and owns those of the testbed. It is allowed few slices. */
  readonly ownerCredentials: string
}

/** How each of them logs in, by the same names. */
export type PeopleLogins = Readonly<Record<keyof PeopleFiles, Login>>

/** How a user logs in. */
export interface Login {
  readonly token: string
  readonly username: string
  readonly password: string
}

/** The group that owns the nodes of the testbed. */
export const lenders = 'lenders'
const lab = 'local'

/**
 * Make sure that the two groups exist and that three people have a token and a password each. Changes that somebody has made since the first start, for example of a role,
 * stay.
 */
export async function ensurePeople(
  operator: ServerClient,
  files: PeopleFiles,
  signal: AbortSignal,
): Promise<PeopleLogins> {
  const ensure = (file: string, user: string) => ensureLogin(operator, { file, user, signal })
  const researcher = await ensure(files.credentials, 'researcher')
  const student = await ensure(files.studentCredentials, 'student')
  const owner = await ensure(files.ownerCredentials, 'owner')
  await ensureGroup(operator, lab, { admin: researcher, allowed: { allow_slices: true }, signal })
  await ensureGroup(operator, lenders, {
    admin: owner,
    // Who lends nodes may try something small.
    allowed: { allow_nodes: true, allow_slices: true, quotas: { slices: 2, slivers: 2 } },
    signal,
  })
  if (student.isNewUser) await addMember(operator, student.userId, signal)
  return {
    credentials: researcher,
    studentCredentials: student,
    ownerCredentials: owner,
  }
}

interface Wanted {
  readonly file: string
  readonly user: string
  readonly signal: AbortSignal
}

interface Held extends Login {
  readonly userId: number
  readonly isNewUser: boolean
}

/** Return the token and the password in a file when the server still accepts the token, and otherwise create them. */
async function ensureLogin(operator: ServerClient, { file, user, signal }: Wanted): Promise<Held> {
  const before = await maybeCredentials(file)
  if (before?.password !== undefined) {
    const asker = operator.withToken(before.token)
    if ((await asker.answer(routes.whoami, { signal })).status === 200)
      return {
        token: before.token,
        username: user,
        password: before.password,
        userId: 0,
        isNewUser: false,
      }
  }
  const known = await operator.ask(Type.Array(User), filtered(routes.users, user), { signal })
  const { id: userId } =
    known[0] ??
    (await operator.ask(User, routes.users, { method: 'POST', body: { name: user }, signal }))
  const { secret } = await operator.ask(TokenCreated, routes.tokens, {
    method: 'POST',
    body: { name: `vct-${Date.now().toString(36)}`, user },
    signal,
  })
  const password = await setPassword(operator, userId, signal)
  return { token: secret, username: user, password, userId, isNewUser: known.length === 0 }
}

/** Give a user a new password, and return it. */
async function setPassword(
  operator: ServerClient,
  userId: number,
  signal: AbortSignal,
): Promise<string> {
  const password = randomBytes(18).toString('base64url')
  const url = path(routes.userChangeAuth, { id: userId })
  await operator.ask(AuthChanged, url, { method: 'POST', body: { password }, signal })
  return password
}

/**
 * Return how the operator logs in by password, as their file says. The first time, the operator gets a password. It is never replaced: where the file was lost,
 * nothing is returned.
 */
export async function ensureOperatorLogin(
  operator: ServerClient,
  file: string,
  signal: AbortSignal,
): Promise<Partial<Omit<Login, 'token'>>> {
  const { username, password } = (await maybeCredentials(file)) ?? {}
  if (username !== undefined && password !== undefined) return { username, password }
  const { user } = await operator.ask(WhoAmI, routes.whoami, { signal })
  if (user === null || user.has_password === true) return {}
  return { username: user.name, password: await setPassword(operator, user.id, signal) }
}

interface NewGroup {
  readonly admin: Held
  /** What operators allow it. */
  readonly allowed: object
  readonly signal: AbortSignal
}

/** Make a group where there is none, as its admin does. */
async function ensureGroup(
  operator: ServerClient,
  name: string,
  { admin, allowed, signal }: NewGroup,
): Promise<void> {
  const known = await operator.ask(Type.Array(Group), filtered(routes.groups, name), { signal })
  if (known.length > 0) return
  const group = await operator
    .withToken(admin.token)
    .ask(Group, routes.groups, { method: 'POST', body: { name }, signal })
  await patchGroup(operator, group, { body: allowed, signal })
}

/** Add a member without a role to `local`. */
async function addMember(
  operator: ServerClient,
  userId: number,
  signal: AbortSignal,
): Promise<void> {
  const group = await findGroup(operator, lab, signal)
  const roles = group.user_roles.map(({ user: { id }, ...flags }) => ({ user: { id }, ...flags }))
  const body = { user_roles: [...roles, { user: { id: userId } }] }
  await patchGroup(operator, group, { body, signal })
}

async function patchGroup(
  operator: ServerClient,
  { id }: Group,
  { body, signal }: { readonly body: object; readonly signal: AbortSignal },
): Promise<void> {
  await operator.ask(Group, path(routes.group, { id }), { method: 'PATCH', body, signal })
}

/** Find a group. @throws {@link LabError} LAB_NOT_FOUND. */
export async function findGroup(
  operator: ServerClient,
  name: string,
  signal: AbortSignal,
): Promise<Group> {
  const [group] = await operator.ask(Type.Array(Group), filtered(routes.groups, name), { signal })
  if (group === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'group', id: name })
  return group
}

function filtered(list: string, name: string): string {
  return `${list}?/name=${encodeURIComponent(JSON.stringify(name))}`
}
