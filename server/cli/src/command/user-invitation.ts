import {
  EmailConfirmed,
  Invitation,
  InvitationRedeemed,
  path as pathOf,
  ResetAsked,
  routes,
  type ConfirmEmail,
  type InvitationRedeem,
  type Invite,
  type ResetPassword,
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

interface InviteOptions extends PrintOptions {
  readonly handOver?: boolean
}

/** `community-lab user invite`, `user redeem` and `user reset-password` */
export function addUserInvitation(user: Command, context: Context): void {
  leaf(
    user,
    'invite <name>',
    'let a user set a password by a one-time secret, which goes by e-mail or is printed (operators)',
  )
    .option('--hand-over', 'print the secret, also where it could go by e-mail')
    .action(async (name: string, options: InviteOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('user', await listUsers(client), name)
      const url = pathOf(routes.userInvite, { id })
      const body: Invite = options.handOver === true ? { hand_over: true } : {}
      const made = await client.ask(Invitation, url, { method: 'POST', body })
      if (options.json === true) {
        printJson(context, made)
        return
      }
      const { secret, sent_to: address, expires_on: end } = made
      if (secret === undefined) {
        context.out.write(
          `an invitation is on its way to ${address ?? name} (once, until ${end}); mail status tells whether it was sent, --hand-over prints one instead\n`,
        )
        return
      }
      context.out.write(`${secret}\n`)
      const { url: base } = findCredentials(context)
      const page = base.startsWith('http') ? `opens ${base}/set-password#SECRET, or ` : ''
      context.err.write(
        `hand it to ${name}, who ${page}runs: community-lab user redeem --url ${base} (once, until ${end})\n`,
      )
    })
  leaf(
    user,
    'reset-password <name>',
    'get a mail by which you set a new password; by your name or e-mail address',
  )
    .option('--url <url>', 'the server, where no credentials name it')
    .action(async (name: string, options: PrintOptions & { readonly url?: string }) => {
      const base = findUrl(context, options)
      const client = createClient({ base, signal: context.signal })
      const body: ResetPassword = { username: name }
      const asked = await client.ask(ResetAsked, routes.resetPassword, { method: 'POST', body })
      if (options.json === true) printJson(context, asked)
      else context.out.write(`${asked.detail}\n`)
    })
  leaf(user, 'confirm-email', 'make an e-mail address yours by the secret of a mail to it')
    .option('--url <url>', 'the server, where no credentials name it')
    .action(async (options: PrintOptions & { readonly url?: string }) => {
      const base = findUrl(context, options)
      const [pasted = ''] = await context.askSecrets(['Secret'])
      const body: ConfirmEmail = { secret: secretOf(pasted) }
      const client = createClient({ base, signal: context.signal })
      const done = await client.ask(EmailConfirmed, routes.confirmEmail, { method: 'POST', body })
      if (options.json === true) printJson(context, done)
      else context.out.write(`${done.email} is the address of user ${done.name}\n`)
    })
  leaf(user, 'redeem', 'set your password by the one-time secret of an invitation or of a mail')
    .option('--url <url>', 'the server, where no credentials name it')
    .option('--end-tokens', 'end also the tokens that you have made')
    .addHelpText(
      'after',
      '\nIt asks for the secret, or the link of the mail, and twice for the new password. Without a terminal it reads them from three lines of its input.',
    )
    .action(async (options: RedeemOptions) => {
      const base = findUrl(context, options)
      const { password, others } = await askNewPassword(context, ['Invitation'])
      const [pasted = ''] = others
      const body: InvitationRedeem = {
        secret: secretOf(pasted),
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

/** Return the secret of what somebody has pasted: the secret itself, or the link of a mail, which ends with it. */
function secretOf(pasted: string): string {
  return pasted.slice(pasted.lastIndexOf('#') + 1).trim()
}

/** Return the URL of the server that a person means who may have no credentials yet. */
function findUrl(context: Context, { url: given }: { readonly url?: string }): string {
  const { COMMUNITY_LAB_URL: set } = context.env
  const url = given ?? (set === '' ? undefined : set)
  return url?.replace(/\/+$/u, '') ?? findCredentials(context).url
}
