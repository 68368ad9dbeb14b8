import { Invitation, InvitationRedeem, InvitationRedeemed, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { addressOf, fullAddressOf } from '../http/asker.ts'
import { inviteUser, redeemInvitation } from '../registry/write/invitations.ts'
import type { LogInContext } from '../registry/write/log-in.ts'
import { numericId, pattern, type ById } from './context.ts'

const tags = ['log-in']

/** Routes of invitations, by which users set a password that nobody else knows. */
export function invitationRoutes(app: FastifyInstance, context: LogInContext): void {
  app.post(
    pattern(routes.userInvite),
    {
      config: { right: 'invite a user' },
      schema: {
        tags,
        summary: 'Make a one-time secret, valid for a day, by which a user sets a password',
        response: { 201: Invitation },
      },
    },
    async (request: ById, reply) => {
      void reply.code(201)
      return inviteUser(context.registry, numericId(request, 'user'))
    },
  )
  app.post<{ Body: InvitationRedeem }>(
    routes.redeemInvitation,
    {
      config: { right: 'log in' },
      schema: {
        tags,
        summary: 'Set a password by an invitation, which is used up by it, and log in',
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
