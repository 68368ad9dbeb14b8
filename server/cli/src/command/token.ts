import {
  LabError,
  path as pathOf,
  routes,
  Token,
  TokenCreated,
  WhoAmI,
  type TokenCreate,
} from '@community-lab/contract'
import { Option, type Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { formatAgo } from '../output/duration.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listUsers } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, expiry, leaf } from './option.ts'
import { nameOf } from './people.ts'

interface CreateOptions extends PrintOptions {
  readonly role?: 'operator' | 'researcher'
  readonly user?: string
  readonly expires?: string | null
  readonly scope?: 'all' | 'read'
}

/** `community-lab token …` */
export function addToken(program: Command, context: Context): void {
  const token = program.command('token').description('your tokens; operators: those of all')
  leaf(token, 'create <name>', 'make a token; its secret is shown this once')
    .option('--user <name>', 'whom it speaks for (operators)')
    .addOption(
      new Option('--role <role>', 'what it may do at most; researcher unless you say so').choices([
        'operator',
        'researcher',
      ]),
    )
    .addOption(
      new Option('--scope <scope>', 'all that its role may, or only to read').choices([
        'all',
        'read',
      ]),
    )
    .option(
      '--expires <when>',
      'a date, days such as 30d, or never; after a year, but for an operator’s',
      (text) => (text === 'never' ? null : expiry(text)),
    )
    .action(async (name: string, options: CreateOptions) => {
      const body: TokenCreate = {
        name,
        ...(options.role === undefined ? {} : { role: options.role }),
        ...(options.user === undefined ? {} : { user: options.user }),
        ...(options.expires === undefined ? {} : { expires_on: options.expires }),
        ...(options.scope === undefined ? {} : { scope: options.scope }),
      }
      const client = connectServer(context)
      // The refusal suggests a similar name.
      if (options.user !== undefined) findNamed('user', await listUsers(client), options.user)
      const made = await client.ask(TokenCreated, routes.tokens, { method: 'POST', body })
      if (options.json === true) printJson(context, made)
      else context.out.write(`${made.secret}\n`)
    })
  leaf(token, 'list', 'tokens, never their secrets').action(async (options: PrintOptions) => {
    const client = connectServer(context)
    const now = Date.now()
    const tokens = await client.ask(Type.Array(Token), routes.tokens)
    const users = await listUsers(client)
    printRows(context, tokens, {
      ...options,
      columns: [
        { title: 'ID', show: ({ id }) => id, align: 'right' },
        { title: 'NAME', show: ({ name }) => name },
        {
          title: 'WHOSE',
          show: ({ user, node }) =>
            user === null ? `node ${node?.id ?? '-'}` : nameOf(users, user),
        },
        { title: 'ROLE', show: ({ role }) => role },
        { title: 'SCOPE', show: ({ scope }) => scope },
        { title: 'KIND', show: ({ kind }) => kind },
        { title: 'USED', show: ({ last_used_on }) => formatAgo(last_used_on, now) },
        { title: 'EXPIRES', show: ({ expires_on }) => expires_on },
      ],
      none: 'no tokens',
    })
  })
  destroyer(token, 'revoke [name]', 'end a token, by its name or id; or all log-ins')
    .option('--log-ins', 'end all log-ins and sessions of pages instead; own tokens go on')
    .option('--user <name>', 'whose log-ins: yours unless you say so (operators)')
    .action(async (name: string | undefined, options: RevokeOptions) => {
      if ((name === undefined) !== (options.logIns === true))
        throw new LabError('LAB_CLI_USAGE', { problem: 'name one token, or say --log-ins' })
      if (name === undefined) await endLogIns(context, options)
      else await revokeToken(context, name, options)
    })
}

interface RevokeOptions extends ConfirmOptions {
  readonly logIns?: boolean
  readonly user?: string
}

async function revokeToken(context: Context, name: string, options: ConfirmOptions): Promise<void> {
  const client = connectServer(context)
  const found = findNamed('token', await client.ask(Type.Array(Token), routes.tokens), name)
  await requireYes(context, options, {
    deed: `revoking token ${found.name}`,
    costs: 'locks out whoever uses it, at once and for good',
    question: 'Revoke it?',
  })
  await client.do(pathOf(routes.token, { id: found.id }), { method: 'DELETE' })
  if (options.json === true) printJson(context, { token: found.id, revoked: true })
  else context.out.write(`token ${found.name} is revoked\n`)
}

/** End the tokens that were made by logging in with a password, and the sessions of pages. */
async function endLogIns(context: Context, options: RevokeOptions): Promise<void> {
  const client = connectServer(context)
  const { user: self } = await client.ask(WhoAmI, routes.whoami)
  const whom =
    options.user === undefined ? self : findNamed('user', await listUsers(client), options.user)
  if (whom === null) throw new LabError('LAB_CLI_USAGE', { problem: 'a node does not log in' })
  const tokens = await client.ask(Type.Array(Token), routes.tokens)
  const logIns = tokens.filter(
    ({ user, kind }) => user?.id === whom.id && (kind === 'login' || kind === 'session'),
  )
  if (logIns.length > 0)
    await requireYes(context, options, {
      deed: `ending the log-ins of user ${whom.name}`,
      costs: `locks out the pages and programs that have logged in (${logIns.length}), perhaps this one`,
      question: 'End them?',
    })
  for (const { id } of logIns)
    await client.do(pathOf(routes.token, { id }), { method: 'DELETE', accept: [404] })
  if (options.json === true)
    printJson(context, { user: whom.id, revoked: logIns.map(({ id }) => id) })
  else context.out.write(`log-ins of user ${whom.name} that have ended: ${logIns.length}\n`)
}
