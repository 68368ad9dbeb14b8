import { MailStatus, routes, type TroubledMail } from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { emphasize, printJson, tint, type PrintOptions } from '../output/print.ts'
import { formatTable } from '../output/table.ts'
import { leaf } from './option.ts'

/** `community-lab mail …` */
export function addMail(program: Command, context: Context): void {
  const mail = program.command('mail').description('the e-mail that the server sends (operators)')
  leaf(mail, 'status', 'whether e-mail is sent, what waits, and why').action(
    async (options: PrintOptions) => {
      const status = await connectServer(context).ask(MailStatus, routes.mail)
      if (options.json === true) printJson(context, status)
      else printStatus(context, status)
    },
  )
  leaf(mail, 'test', 'send a mail to yourself, to see whether e-mail works').action(
    async (options: PrintOptions) => {
      await connectServer(context).do(routes.mailTest, { method: 'POST' })
      if (options.json === true) printJson(context, { queued: true })
      else context.out.write('a mail to you is on its way; mail status tells whether it was sent\n')
    },
  )
}

function printStatus(context: Context, status: MailStatus): void {
  const { smtp, waiting, oldest_waiting_on: oldest, last_failure: last, troubles } = status
  if (smtp === null) {
    context.out.write(
      'no e-mail is sent: the server has no SMTP server (COMMUNITY_LAB_SERVER_SMTP_URL)\n',
    )
    return
  }
  const since = oldest === null ? '' : `, the oldest since ${oldest}`
  const lines = [
    `SMTP server: ${smtp.server} (TLS: ${smtp.tls}), as ${smtp.from}`,
    `waiting: ${waiting}${since}`,
    `in the last day: ${status.sent_last_day} sent, ${status.failed_last_day} given up`,
    `last sent: ${status.last_sent_on ?? 'none yet'}`,
    ...(last === null
      ? []
      : [`last failure: ${last.time}: ${tint(context.out, 'red', last.message)}`]),
  ]
  context.out.write(`${lines.join('\n')}\n`)
  const [titles, ...rows] = formatTable<TroubledMail>(troubles, [
    { title: 'KIND', show: ({ kind }) => kind },
    { title: 'TO', show: ({ recipient }) => recipient },
    { title: 'TRIED', show: ({ attempts }) => attempts, align: 'right' },
    { title: 'NEXT', show: ({ next_try_on: next }) => next ?? 'given up' },
    { title: 'WHY', show: ({ message }) => message },
  ])
  if (titles !== undefined)
    context.out.write(`${emphasize(context.out, titles)}\n${rows.join('\n')}\n`)
}
