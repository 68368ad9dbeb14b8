import Type, { type Static } from 'typebox'
import { nullable, Ref, Time } from './common.ts'

/** What a mail of the server is for. */
export const MailKind = Type.Enum([
  'invitation',
  'reset',
  'address',
  'notice',
  'digest',
  'test',
] as const)
export type MailKind = Static<typeof MailKind>

/** A mail that was not sent yet, or not at all. Its text is shown to nobody. */
export const TroubledMail = Type.Object({
  id: Type.Integer(),
  kind: MailKind,
  user: nullable(Ref),
  recipient: Type.String(),
  created_on: Time,
  attempts: Type.Integer(),
  next_try_on: nullable(Time),
  failed_on: nullable(Time),
  message: Type.String({ description: 'why it was not sent, in the words of the SMTP server' }),
})
export type TroubledMail = Static<typeof TroubledMail>

/** Whether the server’s e-mail works, for operators. */
export const MailStatus = Type.Object(
  {
    smtp: nullable(
      Type.Object(
        {
          server: Type.String(),
          tls: Type.Enum(['implicit', 'starttls', 'none'] as const),
          from: Type.String(),
        },
        { description: 'the SMTP server that takes the mail; null: no mail is sent' },
      ),
    ),
    waiting: Type.Integer({ description: 'mails that are not sent yet' }),
    oldest_waiting_on: nullable(Time),
    sent_last_day: Type.Integer(),
    failed_last_day: Type.Integer(),
    last_sent_on: nullable(Time),
    last_failure: nullable(Type.Object({ time: Time, message: Type.String() })),
    troubles: Type.Array(TroubledMail, {
      description: 'mails whose last attempt failed, the newest first; 50 at most',
    }),
  },
  { $id: 'MailStatus' },
)
export type MailStatus = Static<typeof MailStatus>
