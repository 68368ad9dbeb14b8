import {
  LabError,
  notificationKinds,
  routes,
  User,
  WhoAmI,
  type NotificationKind,
  type UserPatch,
} from '@community-lab/contract'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { listUsers } from './lists.ts'
import { findNamed } from './name.ts'
import { leaf } from './option.ts'

/** What each kind tells, in words. */
const meanings: Readonly<Record<NotificationKind, string>> = {
  slice_end: 'a slice that you may renew ends soon',
  node_offline: 'a node that you look after is offline for days',
  node_safe: 'a node that you look after is left in safe',
  request_waiting: 'a request waits for your answer',
  image_broken: 'nodes cannot unpack an image that you look after',
}

interface NotificationOptions extends PrintOptions {
  readonly on: readonly NotificationKind[]
  readonly off: readonly NotificationKind[]
}

/** `community-lab user notifications` */
export function addUserNotifications(user: Command, context: Context): void {
  leaf(user, 'notifications [name]', 'what you are told by e-mail, once a day at most')
    .addOption(kindOption('--on <kind>', 'be told of it; may be repeated'))
    .addOption(kindOption('--off <kind>', 'not be told of it; may be repeated'))
    .action(async (name: string | undefined, { on, off, ...options }: NotificationOptions) => {
      const client = connectServer(context)
      const { user: self } = await client.ask(WhoAmI, routes.whoami)
      const whom = name === undefined ? self : findNamed('user', await listUsers(client), name)
      if (whom === null) throw new LabError('LAB_CLI_USAGE', { problem: 'a node gets no e-mail' })
      const notifications = {
        ...Object.fromEntries(on.map((kind) => [kind, true])),
        ...Object.fromEntries(off.map((kind) => [kind, false])),
      }
      const body: UserPatch = { notifications }
      const isChanged = on.length + off.length > 0
      const shown = isChanged ? await client.ask(User, whom.uri, { method: 'PATCH', body }) : whom
      if (options.json === true) {
        printJson(context, shown.notifications ?? null)
        return
      }
      for (const kind of notificationKinds)
        context.out.write(
          `${shown.notifications?.[kind] === false ? 'off' : 'on '} ${nameOfKind(kind)}: ${meanings[kind]}\n`,
        )
      if (shown.email === null)
        context.err.write(`user ${shown.name} has no e-mail address, and is told nothing\n`)
    })
}

function kindOption(flags: string, help: string): Option {
  const choices = [...notificationKinds.map(nameOfKind), 'all']
  return new Option(flags, help).choices(choices).argParser(addKind).default([])
}

function nameOfKind(kind: NotificationKind): string {
  return kind.replace('_', '-')
}

function addKind(text: string, before: readonly NotificationKind[]): readonly NotificationKind[] {
  if (text === 'all') return notificationKinds
  const kind = notificationKinds.find((each) => nameOfKind(each) === text)
  if (kind === undefined)
    throw new InvalidArgumentError(
      `it has to be ${notificationKinds.map(nameOfKind).join(', ')} or all.`,
    )
  return [...before, kind]
}
