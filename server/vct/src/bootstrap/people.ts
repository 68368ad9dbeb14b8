import { Group, LabError, path, routes, TokenCreated, User } from '@community-lab/contract'
import Type from 'typebox'
import { maybeCredentials } from './credentials.ts'
import type { ServerClient } from './server-client.ts'

/** The credentials files of the people of a virtual testbed. */
export interface PeopleFiles {
  /** `researcher`, the admin of the group `local`. The group is allowed slices. */
  readonly credentials: string
  /** `student`, a member of `local` without a role, who may read the samples of its slices. */
  readonly studentCredentials: string
  /** `owner`, the admin of the group `lenders`. The group is allowed nodes, and owns those of the testbed. */
  readonly ownerCredentials: string
}

/** Their tokens, by the same names. */
export type PeopleTokens = Readonly<Record<keyof PeopleFiles, string>>

/** The group that owns the nodes of the testbed. */
export const lenders = 'lenders'
const lab = 'local'

/**
 * Make sure that the two groups exist and that three people have a token each. Changes that somebody has made since the first start, for example of a role,
 * stay.
 */
export async function ensurePeople(
  operator: ServerClient,
  files: PeopleFiles,
  signal: AbortSignal,
): Promise<PeopleTokens> {
  // The first member of a group is its admin.
  const researcher = await ensureToken(operator, {
    file: files.credentials,
    user: 'researcher',
    group: lab,
    signal,
  })
  const student = await ensureToken(operator, {
    file: files.studentCredentials,
    user: 'student',
    group: lab,
    signal,
  })
  const owner = await ensureToken(operator, {
    file: files.ownerCredentials,
    user: 'owner',
    group: lenders,
    signal,
  })
  if (student.isNewUser) await takeRoles(operator, student.userId, signal)
  if (owner.isNewUser) await allowNodes(operator, signal)
  return {
    credentials: researcher.token,
    studentCredentials: student.token,
    ownerCredentials: owner.token,
  }
}

interface Wanted {
  readonly file: string
  readonly user: string
  readonly group: string
  readonly signal: AbortSignal
}

interface Held {
  readonly token: string
  readonly userId: number
  readonly isNewUser: boolean
}

/** Return the token in a file when the server still accepts it, and otherwise create one. */
async function ensureToken(
  operator: ServerClient,
  { file, user, group, signal }: Wanted,
): Promise<Held> {
  const before = await maybeCredentials(file)
  if (before !== null) {
    const asker = operator.withToken(before.token)
    if ((await asker.status(routes.whoami, { signal })) === 200)
      return { token: before.token, userId: 0, isNewUser: false }
  }
  const known = await operator.ask(Type.Array(User), filtered(routes.users, user), { signal })
  const { secret, token } = await operator.ask(TokenCreated, routes.tokens, {
    method: 'POST',
    body: {
      name: `vct-${Date.now().toString(36)}`,
      user,
      // An existing user stays in the same groups.
      ...(known.length === 0 ? { group } : {}),
    },
    signal,
  })
  return { token: secret, userId: token.user?.id ?? 0, isNewUser: known.length === 0 }
}

/** Remove all roles of a member of `local`. */
async function takeRoles(
  operator: ServerClient,
  userId: number,
  signal: AbortSignal,
): Promise<void> {
  const group = await findGroup(operator, lab, signal)
  const roles = group.user_roles.map(({ user: { id }, ...flags }) =>
    id === userId ? { user: { id } } : { user: { id }, ...flags },
  )
  await patchGroup(operator, group, { body: { user_roles: roles }, signal })
}

async function allowNodes(operator: ServerClient, signal: AbortSignal): Promise<void> {
  const group = await findGroup(operator, lenders, signal)
  await patchGroup(operator, group, { body: { allow_nodes: true, allow_slices: false }, signal })
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
