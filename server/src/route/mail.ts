import { MailStatus, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser } from '../access/permit.ts'
import type { SmtpSettings } from '../mail/settings.ts'
import { readMailStatus } from '../registry/read/mail-status.ts'
import type { RegistryStore } from '../registry/store.ts'
import type { MailSite } from '../registry/write/mails.ts'
import { sendTestMail } from '../registry/write/test-mail.ts'

const tags = ['mail']

/** What these routes need. */
export interface MailRouteContext {
  readonly registry: RegistryStore
  readonly smtp: SmtpSettings | null
  readonly mail: MailSite | null
}

/** Routes by which operators see whether e-mail works. */
export function mailRoutes(app: FastifyInstance, { registry, smtp, mail }: MailRouteContext): void {
  app.get(
    routes.mail,
    {
      config: { right: 'read whether mail is sent' },
      schema: { tags, summary: 'Whether e-mail is sent', response: { 200: MailStatus } },
    },
    async (): Promise<MailStatus> => ({
      smtp: smtp === null ? null : { server: smtp.shown, tls: smtp.tls, from: smtp.from.address },
      ...(await readMailStatus(registry.db)),
    }),
  )
  app.post(
    routes.mailTest,
    {
      config: { right: 'send a test mail' },
      schema: { tags, summary: 'Send a mail to the operator who asks' },
    },
    async ({ principal }, reply) => {
      await sendTestMail(registry, mail, actingUser(principal))
      return reply.code(202).send()
    },
  )
}
