import {
  ConfirmEmail,
  EmailConfirmed,
  Invitation,
  InvitationRedeem,
  InvitationRedeemed,
  Invite,
  nullable,
  ResetAsked,
  ResetPassword,
  routes,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { addressOf, fullAddressOf } from '../http/asker.ts'
import { confirmEmail } from '../registry/write/addresses.ts'
import { inviteUser, redeemInvitation } from '../registry/write/invitations.ts'
import type { LogInContext } from '../registry/write/log-in.ts'
import type { PasswordResets } from '../registry/write/password-resets.ts'
import { numericId, pattern } from './context.ts'

const tags = ['log-in']

/** What these routes need. */
export interface InvitationRouteContext extends LogInContext {
  readonly resets: PasswordResets
}

/** Routes of invitations and resets, by which users set a password that nobody else knows. */
export function invitationRoutes(app: FastifyInstance, context: InvitationRouteContext): void {
  app.post<{ Params: { id: string }; Body: Invite | null }>(
    pattern(routes.userInvite),
    {
      config: { right: 'invite a user' },
      schema: {
        tags,
        summary:
          'Make a one-time secret, valid for a day, by which a user sets a password; it goes by e-mail, or is handed over',
        body: nullable(Invite),
        response: { 201: Invitation },
      },
    },
    async (request, reply) => {
      void reply.code(201)
      return inviteUser(context, numericId(request, 'user'), request.body ?? {})
    },
  )
  app.post<{ Body: ResetPassword }>(
    routes.resetPassword,
    {
      config: { right: 'log in' },
      schema: {
        tags,
        summary:
          'Ask for a mail by which a user sets a new password; the answer is always the same',
        body: ResetPassword,
        response: { 202: ResetAsked },
      },
    },
    (request, reply) => {
      context.resets.ask(request.body, addressOf(request))
      return reply.code(202).send({
        detail:
          'If there is such a user, and they have an e-mail address, a mail is on its way to it. Its link is valid for an hour.',
      } satisfies ResetAsked)
    },
  )
  app.post<{ Body: ConfirmEmail }>(
    routes.confirmEmail,
    {
      config: { right: 'log in' },
      schema: {
        tags,
        summary: 'Confirm an e-mail address by the secret of a mail to it',
        body: ConfirmEmail,
        response: { 200: EmailConfirmed },
      },
    },
    (request) => confirmEmail(context, request.body, fullAddressOf(request)),
  )
  app.post<{ Body: InvitationRedeem }>(
    routes.redeemInvitation,
    {
      config: { right: 'log in' },
      schema: {
        tags,
        summary: 'Set a password by an invitation or a reset, which is used up by it, and log in',
        body: InvitationRedeem,
        response: { 200: InvitationRedeemed },
      },
    },
    (request) =>
      redeemInvitation(context, request.body, {
        address: addressOf(request),
        fullAddress: fullAddressOf(request),
      }),
  )
}
