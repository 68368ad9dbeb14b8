import {
  path as pathOf,
  routes,
  User,
  WhoAmI,
  type Group,
  type UserCreate,
  type UserPatch,
} from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listGroups, listUsers } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { addUserInvitation } from './user-invitation.ts'
import { addUserNotifications } from './user-notifications.ts'
import { addUserPassword } from './user-password.ts'
import { describeRole, nameOf } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab user …` */
export function addUser(program: Command, context: Context): void {
  const user = program.command('user').description('the people of the testbed')
  viewer(user, 'list', 'all users').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['user', 'group'],
      print: (inner, { user: users, group: groups }) =>
        printRows(inner, users, { ...options, columns: columns(groups), none: 'no users' }),
    }),
  )
  leaf(user, 'whoami', 'who you are to the server').action(async (options: PrintOptions) => {
    const client = connectServer(context)
    const who = await client.ask(WhoAmI, routes.whoami)
    if (options.json === true) printJson(context, who)
    else context.out.write(`${describeAsker(who, await listGroups(client))}\n`)
  })
  leaf(user, 'create <name>', 'make a user, who is in no group yet (operators)')
    .option('--description <text>', 'who they are')
    .action(async (name: string, options: PrintOptions & { readonly description?: string }) => {
      const { description } = options
      const body: UserCreate = { name, ...(description === undefined ? {} : { description }) }
      const made = await connectServer(context).ask(User, routes.users, { method: 'POST', body })
      if (options.json === true) printJson(context, made)
      else
        context.out.write(
          `user ${made.name} is made; next: user invite ${made.name}, or token create first --user ${made.name}\n`,
        )
    })
  addUserPassword(user, context)
  addUserInvitation(user, context)
  addUserNotifications(user, context)
  for (const [command, description, isActive] of [
    ['disable', 'let a user in no more, by tokens or SSH keys (operators)', false],
    ['enable', 'let a disabled user in again (operators)', true],
  ] as const)
    leaf(user, `${command} <name>`, description).action(
      async (name: string, options: PrintOptions) => {
        const changed = await patchUser(context, name, { is_active: isActive })
        if (options.json === true) printJson(context, changed)
        else context.out.write(`user ${changed.name} is ${isActive ? 'enabled' : 'disabled'}\n`)
      },
    )
  leaf(user, 'promote <name>', 'make a user an operator of the testbed (operators)').action(
    (name: string, options: PrintOptions) =>
      setOperator(context, name, { isOperator: true, options }),
  )
  destroyer(
    user,
    'demote <name>',
    'a user is an operator no more; their operator’s tokens end (operators)',
  ).action(async (name: string, options: ConfirmOptions) => {
    await requireYes(context, options, {
      deed: `demoting user ${name}`,
      costs: 'ends their operator’s tokens for good',
      question: 'Demote them?',
    })
    await setOperator(context, name, { isOperator: false, options })
  })
  destroyer(user, 'remove <name>', 'remove a user with tokens and SSH keys (operators)').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('user', await listUsers(client), name)
      const left = (await listGroups(client)).filter((group) => isLastMember(group, id))
      const groups = left.map((group) => group.name)
      const leaves = `leaves group ${groups.join(', ')} without any group admin`
      await requireYes(context, options, {
        deed: `removing user ${name}`,
        costs: `ends all their tokens and SSH keys for good${groups.length === 0 ? '' : `, and ${leaves}`}`,
        question: 'Remove them?',
      })
      await client.do(pathOf(routes.user, { id }), { method: 'DELETE' })
      if (options.json === true)
        printJson(context, { user: id, removed: true, groups_without_admin: groups })
      else
        context.out.write(
          [
            `user ${name} is removed; what they made stays their groups’\n`,
            ...groups.map(
              (group) => `group ${group} has no group admin any more; operators look after it\n`,
            ),
          ].join(''),
        )
    },
  )
}

const columns = (groups: readonly Group[]) => [
  { title: 'ID', show: ({ id }: User) => id, align: 'right' as const },
  { title: 'NAME', show: ({ name }: User) => name },
  { title: 'IS', show: describeUser },
  {
    title: 'GROUPS',
    show: ({ group_roles: roles }: User) =>
      roles.map((role) => `${nameOf(groups, role.group)} (${describeRole(role)})`).join('; '),
  },
]

/** Tell whether a user is the admin and the only member of a group. Where others are members, the server refuses to remove the last admin. */
function isLastMember({ user_roles: roles }: Group, userId: number): boolean {
  const [role, ...others] = roles
  return role?.user.id === userId && role.is_group_admin && others.length === 0
}

async function setOperator(
  context: Context,
  name: string,
  { isOperator, options }: { readonly isOperator: boolean; readonly options: PrintOptions },
): Promise<void> {
  const changed = await patchUser(context, name, { is_superuser: isOperator })
  if (options.json === true) printJson(context, changed)
  else context.out.write(`user ${changed.name} is ${describeUser(changed)}\n`)
}

async function patchUser(context: Context, name: string, body: UserPatch): Promise<User> {
  const client = connectServer(context)
  const { uri } = findNamed('user', await listUsers(client), name)
  return client.ask(User, uri, { method: 'PATCH', body })
}

function describeUser({ is_active: isActive, is_superuser: isSuperuser }: User): string {
  return [isSuperuser ? 'operator' : 'user', ...(isActive ? [] : ['disabled'])].join(', ')
}

function describeAsker({ role, user, node }: WhoAmI, groups: readonly Group[]): string {
  if (node !== null) return `node ${node.id}`
  const roles = (user?.group_roles ?? []).map(
    (one) => `${describeRole(one)} of group ${nameOf(groups, one.group)}`,
  )
  return [`${user?.name ?? 'nobody'}, by a token of role ${role}`, ...roles].join('; ')
}
