import { LabError } from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import { dayMs } from '../../domain/day.ts'
import { testMail } from '../../mail/messages.ts'
import type { RegistryStore } from '../store.ts'
import { enqueueMail, withdrawMails, type MailSite } from './mails.ts'

/** Send a mail to a user, so that an operator sees whether mail works. @throws {@link LabError} LAB_MAIL_NOT_CONFIGURED, LAB_MAIL_NO_ADDRESS, LAB_MAIL_OUTBOX_FULL. */
export async function sendTestMail(
  registry: RegistryStore,
  mail: MailSite | null,
  userId: number,
): Promise<void> {
  if (mail === null) throw new LabError('LAB_MAIL_NOT_CONFIGURED', {})
  await registry.change(async (change) => {
    const row = await change.tx
      .selectFrom('users')
      .select(['name', 'email'])
      .where('id', '=', userId)
      .forNoKeyUpdate()
      .executeTakeFirst()
    const { name, email: recipient } = found(row, 'user', userId)
    if (recipient === null) throw new LabError('LAB_MAIL_NO_ADDRESS', { user: name })
    await withdrawMails(change, userId, ['test'])
    const message = testMail({ site: mail.site, user: name })
    const endsOn = new Date(Date.now() + dayMs)
    const isTaken = await enqueueMail(
      change,
      { kind: 'test', userId, recipient, endsOn, ...message },
      { mail },
    )
    if (!isTaken) throw new LabError('LAB_MAIL_OUTBOX_FULL', {})
  })
}
