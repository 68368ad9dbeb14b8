import {
  Invitation,
  InvitationRedeemed,
  path as pathOf,
  routes,
  type InvitationRedeem,
} from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer, findCredentials } from '../credentials.ts'
import { createClient } from '../http/client.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { listUsers } from './lists.ts'
import { findNamed } from './name.ts'
import { askNewPassword } from './new-password.ts'
import { leaf } from './option.ts'

interface RedeemOptions extends PrintOptions {
  readonly url?: string
  readonly endTokens?: boolean
}

/** `community-lab user invite` and `user redeem` */
export function addUserInvitation(user: Command, context: Context): void {
  leaf(
    user,
    'invite <name>',
    'a one-time secret by which a user sets a password (operators)',
  ).action(async (name: string, options: PrintOptions) => {
    const client = connectServer(context)
    const { id } = findNamed('user', await listUsers(client), name)
    const url = pathOf(routes.userInvite, { id })
    const made = await client.ask(Invitation, url, { method: 'POST' })
    if (options.json === true) {
      printJson(context, made)
      return
    }
    context.out.write(`${made.secret}\n`)
    context.err.write(
      `hand it to ${name}, who runs: community-lab user redeem --url ${findCredentials(context).url} (once, until ${made.expires_on})\n`,
    )
  })
  leaf(user, 'redeem', 'set your password by an invitation that an operator handed to you')
    .option('--url <url>', 'the server, where no credentials name it')
    .option('--end-tokens', 'end also the tokens that you have made')
    .action(async (options: RedeemOptions) => {
      const base = options.url?.replace(/\/+$/u, '') ?? urlOf(context)
      const { password, others } = await askNewPassword(context, ['Invitation'])
      const [secret = ''] = others
      const body: InvitationRedeem = {
        secret,
        password,
        ...(options.endTokens === true ? { end_tokens: true } : {}),
      }
      const client = createClient({ base, signal: context.signal })
      const redeemed = await client.ask(InvitationRedeemed, routes.redeemInvitation, {
        method: 'POST',
        body,
      })
      if (options.json === true) {
        printJson(context, redeemed)
        return
      }
      const { name, tokens_left: left } = redeemed
      context.out.write(`${redeemed.token}\n`)
      context.err.write(
        `user ${name} has this password now, and this token for 30 days (COMMUNITY_LAB_TOKEN); log-ins of before have ended; own tokens that go on: ${left}\n`,
      )
    })
}

function urlOf(context: Context): string {
  const { COMMUNITY_LAB_URL: url } = context.env
  return url === undefined || url === '' ? findCredentials(context).url : url.replace(/\/+$/u, '')
}
