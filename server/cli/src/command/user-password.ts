import {
  AuthChanged,
  LabError,
  path as pathOf,
  routes,
  WhoAmI,
  type ChangeAuth,
  type User,
} from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { listUsers } from './lists.ts'
import { findNamed } from './name.ts'
import { askNewPassword } from './new-password.ts'
import { leaf } from './option.ts'

const passwordHelp = `
It asks for your present password where you have one, and twice for the new one. Where the input is no terminal, it reads them from there, a line each. The
password of another user needs no present one.
`

interface PasswordOptions extends PrintOptions {
  readonly endTokens?: boolean
}

/** `community-lab user password` and `user email` */
export function addUserPassword(user: Command, context: Context): void {
  leaf(user, 'password [name]', 'set your password, or that of a user (operators)')
    .option('--end-tokens', 'end the user’s own tokens, too, not log-ins and sessions alone')
    .addHelpText('after', passwordHelp)
    .action(async (name: string | undefined, options: PasswordOptions) => {
      const client = connectServer(context)
      const { whom, current } = await askCurrent(client, name)
      const { password, others } = await askNewPassword(context, current)
      const [before] = others
      await change(context, client, {
        whom,
        body: {
          password,
          ...(before === undefined ? {} : { current_password: before }),
          ...(options.endTokens === true ? { end_tokens: true } : {}),
        },
        options,
      })
    })
  leaf(
    user,
    'email <address> [name]',
    'set your e-mail address (none: have none), or that of a user (operators)',
  ).action(async (address: string, name: string | undefined, options: PrintOptions) => {
    const client = connectServer(context)
    const { whom, current } = await askCurrent(client, name)
    const [before] = current.length === 0 ? [] : await context.askSecrets(current)
    await change(context, client, {
      whom,
      body: {
        email: address === 'none' ? null : address,
        ...(before === undefined ? {} : { current_password: before }),
      },
      options,
    })
  })
}

interface Asked {
  readonly whom: User
  /** The question for the present password; empty when none is needed. */
  readonly current: readonly string[]
}

async function askCurrent(client: Client, name: string | undefined): Promise<Asked> {
  const { user: self } = await client.ask(WhoAmI, routes.whoami)
  const whom = name === undefined ? self : findNamed('user', await listUsers(client), name)
  if (whom === null) throw new LabError('LAB_CLI_USAGE', { problem: 'a node has no password' })
  const needsCurrent = whom.id === self?.id && self.has_password === true
  return { whom, current: needsCurrent ? ['Present password'] : [] }
}

interface Change {
  readonly whom: User
  readonly body: ChangeAuth
  readonly options: PrintOptions
}

async function change(
  context: Context,
  client: Client,
  { whom, body, options }: Change,
): Promise<void> {
  const url = pathOf(routes.userChangeAuth, { id: whom.id })
  const changed = await client.ask(AuthChanged, url, { method: 'POST', body })
  if (options.json === true) {
    printJson(context, changed)
    return
  }
  const { unconfirmed_email: unconfirmed } = changed
  if (unconfirmed !== undefined) {
    context.out.write(
      `a mail is on its way to ${unconfirmed}; it is the address of user ${whom.name} when its link was opened, or after: community-lab user confirm-email\n`,
    )
    return
  }
  const what = body.password === undefined ? 'e-mail address' : 'password'
  const left =
    body.password === undefined || changed.tokens_left === 0
      ? ''
      : `; log-ins and sessions have ended; own tokens that go on: ${changed.tokens_left} (token list; --end-tokens ends them)`
  context.out.write(`the ${what} of user ${whom.name} is changed${left}\n`)
}
