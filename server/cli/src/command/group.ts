import {
  Agreement,
  Group,
  LabError,
  path as pathOf,
  routes,
  WhoAmI,
  type GroupCreate,
  type GroupPatch,
  type User,
} from '@community-lab/contract'
import { Argument, type Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listGroups, listUsers, type Objects } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, roleOptions, viewer } from './option.ts'
import { addQuota, printQuotas } from './quota.ts'
import { describeRole, flagsOf, nameOf, type RoleOptions } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab group …` */
export function addGroup(program: Command, context: Context): void {
  const group = program.command('group').description('groups, who own nodes and slices')
  viewer(group, 'list', 'all groups').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['group'],
      print: (inner, { group: groups }) =>
        printRows(inner, groups, { ...options, columns: groupColumns, none: 'no groups yet' }),
    }),
  )
  viewer(group, 'show <name>', 'a group, with its members').action(
    (name: string, options: ViewOptions) => {
      const find = ({ group: groups }: Objects<'group'>) => findNamed('group', groups, name)
      return showView(context, options, {
        kinds: ['group', 'user'],
        find,
        print(inner, objects) {
          if (options.json === true) printJson(inner, find(objects))
          else showGroup(inner, find(objects), objects.user)
        },
      })
    },
  )
  leaf(group, 'create <name>', 'make a group, of which you are the admin')
    .option('--description <text>', 'who they are')
    .option('--accept <number>', 'accept the testbed’s agreement of this number', Number)
    .action(async (name: string, options: CreateOptions) => {
      const { description, accept: agreement } = options
      const body: GroupCreate = {
        name,
        ...(description === undefined ? {} : { description }),
        ...(agreement === undefined ? {} : { agreement }),
      }
      const made = await connectServer(context).ask(Group, routes.groups, { method: 'POST', body })
      if (options.json === true) printJson(context, made)
      else
        context.out.write(
          `group ${made.name} is made; next: request ask allow-slices ${made.name}, or allow-nodes\n`,
        )
    })
  leaf(group, 'set <name>', 'change what a group is called, or says of itself')
    .option('--name <name>', 'its new name')
    .option('--description <text>', 'who they are')
    .action((name: string, options: SetOptions) => setGroup(context, name, options))
  leaf(group, 'allow <name>', 'let a group have nodes or slices (operators)')
    .addArgument(whatArgument())
    .action((name: string, what: What, options: PrintOptions) =>
      setAllowed(context, name, { what, isAllowed: true, options }),
    )
  destroyer(group, 'withdraw <name>', 'let a group have nodes or slices no more (operators)')
    .addArgument(whatArgument())
    .addHelpText(
      'after',
      '\nIts nodes go from production to safe; its slices stop and stay deployed.\n',
    )
    .action(async (name: string, what: What, options: ConfirmOptions) => {
      const groups = await listGroups(connectServer(context))
      const { name: known, [what]: owned } = findNamed('group', groups, name)
      await requireYes(context, options, {
        deed: `withdrawing ${what} from group ${known}`,
        costs: `stops what runs: its ${what} (${owned.length}) ${what === 'nodes' ? 'go from production to safe' : 'stay deployed'}`,
        question: 'Withdraw them?',
      })
      await setAllowed(context, name, { what, isAllowed: false, options })
    })
  roleOptions(
    leaf(
      group,
      'set-role <name> <user>',
      'set what a member may do; without options: read samples',
    ),
  ).action((name: string, user: string, options: RoleOptions & PrintOptions) =>
    changeMembers(context, name, user, { flags: flagsOf(options), options }),
  )
  destroyer(group, 'remove-member <name> <user>', 'end a membership').action(
    async (name: string, user: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const found = findNamed('group', await listGroups(client), name)
      const users = await listUsers(client)
      const isMember = ({ id }: User) => found.user_roles.some((role) => role.user.id === id)
      findNamed(`member of group ${found.name}`, users.filter(isMember), user)
      await requireYes(context, options, {
        deed: `removing user ${user} from group ${name}`,
        costs: 'ends their access to what it owns',
        question: 'Remove them?',
      })
      await changeMembers(context, name, user, { flags: null, options })
    },
  )
  destroyer(group, 'leave <name>', 'be a member no more').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { user } = await client.ask(WhoAmI, routes.whoami)
      const isMember = ({ id }: Group) => user?.group_roles.some((role) => role.group.id === id)
      const { id } = findNamed('group of yours', (await listGroups(client)).filter(isMember), name)
      await requireYes(context, options, {
        deed: `leaving group ${name}`,
        costs: 'ends your access to what it owns',
        question: 'Leave it?',
      })
      await client.do(pathOf(routes.groupLeave, { id }), { method: 'POST' })
      if (options.json === true) printJson(context, { group: id, left: true })
      else context.out.write(`you are no member of group ${name} any more\n`)
    },
  )
  destroyer(group, 'remove <name>', 'remove a group that owns nothing').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('group', await listGroups(client), name)
      await requireYes(context, options, {
        deed: `removing group ${name}`,
        costs: 'ends all its memberships',
        question: 'Remove it?',
      })
      await client.do(pathOf(routes.group, { id }), { method: 'DELETE' })
      if (options.json === true) printJson(context, { group: id, removed: true })
      else context.out.write(`group ${name} is removed\n`)
    },
  )
  addQuota(group, context)
  leaf(group, 'agreement', 'read the testbed’s agreement in its newest version').action(
    async (options: PrintOptions) => {
      const all = await connectServer(context).ask(Type.Array(Agreement), routes.agreements)
      const newest = all.at(-1) ?? null
      if (options.json === true) printJson(context, newest)
      else if (newest === null) context.out.write('this testbed has no agreement\n')
      else context.out.write(`number ${newest.id}, of ${newest.published_on}:\n\n${newest.text}\n`)
    },
  )
  leaf(
    group,
    'accept <name> <number>',
    'accept the testbed’s newest agreement, by its number',
  ).action(async (name: string, number: string, options: PrintOptions) => {
    const client = connectServer(context)
    const { id } = findNamed('group', await listGroups(client), name)
    const at = pathOf(routes.groupAcceptAgreement, { id })
    const body = { agreement: Number(number) }
    const changed = await client.ask(Group, at, { method: 'POST', body })
    if (options.json === true) printJson(context, changed)
    else context.out.write(`group ${name} has accepted agreement ${number}\n`)
  })
}

interface CreateOptions extends PrintOptions {
  readonly description?: string
  readonly accept?: number
}

interface SetOptions extends PrintOptions {
  readonly name?: string
  readonly description?: string
}

async function setGroup(context: Context, name: string, options: SetOptions): Promise<void> {
  const { name: newName, description } = options
  if (newName === undefined && description === undefined)
    throw new LabError('LAB_CLI_USAGE', { problem: 'say what to change: --name or --description' })
  const client = connectServer(context)
  const { uri } = findNamed('group', await listGroups(client), name)
  const body: GroupPatch = {
    ...(newName === undefined ? {} : { name: newName }),
    ...(description === undefined ? {} : { description }),
  }
  const changed = await client.ask(Group, uri, { method: 'PATCH', body })
  if (options.json === true) printJson(context, changed)
  else context.out.write(`group ${changed.name} is changed\n`)
}

type What = 'nodes' | 'slices'

const whatArgument = () => new Argument('<what>', 'what it may have').choices(['nodes', 'slices'])

interface Allowing {
  readonly what: What
  readonly isAllowed: boolean
  readonly options: PrintOptions
}

async function setAllowed(
  context: Context,
  name: string,
  { what, isAllowed, options }: Allowing,
): Promise<void> {
  const client = connectServer(context)
  const { uri } = findNamed('group', await listGroups(client), name)
  const body: GroupPatch = { [`allow_${what}`]: isAllowed }
  const changed = await client.ask(Group, uri, { method: 'PATCH', body })
  if (options.json === true) printJson(context, changed)
  else context.out.write(`group ${changed.name} is ${isAllowed ? '' : 'not '}allowed ${what}\n`)
}

interface MemberChange {
  /** The rights of the member; null when the member is removed. */
  readonly flags: ReturnType<typeof flagsOf> | null
  readonly options: PrintOptions
}

async function changeMembers(
  context: Context,
  name: string,
  user: string,
  { flags, options }: MemberChange,
): Promise<void> {
  const client = connectServer(context)
  const { uri } = findNamed('group', await listGroups(client), name)
  const { id, name: known } = findNamed('user', await listUsers(client), user)
  const changed = await client.change(Group, uri, ({ user_roles: before }): GroupPatch => {
    const others = before.filter((role) => role.user.id !== id)
    const roles = flags === null ? others : [...others, { user: { id }, ...flags }]
    return {
      user_roles: roles.map(({ user: { id: of }, ...rest }) => ({ user: { id: of }, ...rest })),
    }
  })
  if (options.json === true) printJson(context, changed)
  else if (flags === null)
    context.out.write(`user ${known} is no member of group ${changed.name} any more\n`)
  else context.out.write(`user ${known} is ${describeRole(flags)} of group ${changed.name}\n`)
}

const groupColumns = [
  { title: 'ID', show: ({ id }: Group) => id, align: 'right' as const },
  { title: 'NAME', show: ({ name }: Group) => name },
  { title: 'MEMBERS', show: ({ user_roles }: Group) => user_roles.length, align: 'right' as const },
  { title: 'NODES', show: ({ nodes }: Group) => nodes.length, align: 'right' as const },
  { title: 'SLICES', show: ({ slices }: Group) => slices.length, align: 'right' as const },
  { title: 'ALLOWED', show: (group: Group) => describeAllowed(group) },
]

function describeAllowed({ allow_nodes: nodes, allow_slices: slices }: Group): string {
  return [...(nodes ? ['nodes'] : []), ...(slices ? ['slices'] : [])].join(', ') || 'nothing yet'
}

function showGroup(context: Context, group: Group, users: readonly User[]): void {
  const lines = [
    `${group.name} (${group.id}), allowed: ${describeAllowed(group)}`,
    ...(group.description === '' ? [] : [group.description]),
    `nodes: ${group.nodes.length}, slices: ${group.slices.length}`,
    ...(group.agreement === null ? [] : [`agreement ${group.agreement.id} accepted`]),
  ]
  for (const line of lines) context.out.write(`${line.replaceAll(/\p{Cc}/gu, '?')}\n`)
  context.out.write('\n')
  printRows(context, group.user_roles, {
    columns: [
      { title: 'MEMBER', show: ({ user }) => nameOf(users, user) },
      { title: 'ROLE', show: describeRole },
    ],
    none: 'it has no members',
  })
  context.out.write('\n')
  printQuotas(context, group)
}
