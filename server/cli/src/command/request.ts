import {
  GroupRequest,
  path as pathOf,
  routes,
  type GroupRequestCreate,
  type RequestKind,
} from '@community-lab/contract'
import { Argument, type Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listGroups } from './lists.ts'
import { findNamed } from './name.ts'
import { leaf, roleOptions, viewer } from './option.ts'
import { flagsOf, nameOf, type RoleOptions } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** The kinds of requests, by their names on the command line. */
const kinds = {
  join: 'join',
  'allow-nodes': 'allow_nodes',
  'allow-slices': 'allow_slices',
} as const satisfies Readonly<Record<string, RequestKind>>

/** `community-lab request …` */
export function addRequest(program: Command, context: Context): void {
  const request = program
    .command('request')
    .description('what users ask of group admins, and groups of operators')
  viewer(request, 'list', 'the requests that wait: yours, and those that you may decide')
    .option('--all', 'also those that were decided')
    .action((options: ViewOptions & { readonly all?: boolean }) =>
      showView(context, options, {
        kinds: ['request', 'group', 'user'],
        print: (inner, { request: requests, group: groups, user: users }) =>
          printRows(
            inner,
            requests.filter(({ state }) => options.all === true || state === 'pending'),
            {
              ...options,
              columns: [
                { title: 'ID', show: ({ id }) => id, align: 'right' },
                { title: 'ASKS', show: ({ user }) => nameOf(users, user) },
                { title: 'FOR', show: ({ kind }) => kind.replace('_', '-') },
                { title: 'GROUP', show: ({ group }) => nameOf(groups, group) },
                { title: 'STATE', show: ({ state }) => state },
                { title: 'MESSAGE', show: ({ message }) => message },
              ],
              none: 'no requests',
            },
          ),
      }),
    )
  leaf(request, 'ask', 'ask to join a group, or that a group may have nodes or slices')
    .addArgument(new Argument('<kind>', 'what to ask for').choices(Object.keys(kinds)))
    .argument('<group>', 'the group')
    .option('--message <text>', 'why')
    .action(
      async (
        kind: keyof typeof kinds,
        name: string,
        options: PrintOptions & { readonly message?: string },
      ) => {
        const client = connectServer(context)
        const { id } = findNamed('group', await listGroups(client), name)
        const { message } = options
        const body: GroupRequestCreate = {
          kind: kinds[kind],
          group: { id },
          ...(message === undefined ? {} : { message }),
        }
        const asked = await client.ask(GroupRequest, routes.requests, { method: 'POST', body })
        if (options.json === true) printJson(context, asked)
        else context.out.write(`request ${asked.id} waits for an answer\n`)
      },
    )
  roleOptions(
    leaf(request, 'accept <id>', 'do what a request asks for; the options are for a new member'),
  ).action((id: string, options: RoleOptions & PrintOptions) =>
    decide(context, id, { route: routes.requestAccept, body: flagsOf(options), options }),
  )
  leaf(request, 'refuse <id>', 'refuse a request').action((id: string, options: PrintOptions) =>
    decide(context, id, { route: routes.requestRefuse, options }),
  )
  leaf(request, 'withdraw <id>', 'take a request back').action(
    async (id: string, options: PrintOptions) => {
      await connectServer(context).do(pathOf(routes.request, { id }), { method: 'DELETE' })
      if (options.json === true) printJson(context, { request: Number(id), withdrawn: true })
      else context.out.write(`request ${id} is withdrawn\n`)
    },
  )
}

interface Decision {
  readonly route: string
  readonly body?: object
  readonly options: PrintOptions
}

async function decide(
  context: Context,
  id: string,
  { route, body, options }: Decision,
): Promise<void> {
  const asked = body === undefined ? { method: 'POST' as const } : { method: 'POST' as const, body }
  const decided = await connectServer(context).ask(GroupRequest, pathOf(route, { id }), asked)
  if (options.json === true) printJson(context, decided)
  else context.out.write(`request ${id} is ${decided.state}\n`)
}
