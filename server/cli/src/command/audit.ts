import { AuditEntry, AuditKind, routes } from '@community-lab/contract'
import { Option, type Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printRows, type PrintOptions } from '../output/print.ts'
import { leaf } from './option.ts'

interface AuditOptions extends PrintOptions {
  readonly user?: string
  readonly kind?: string
  readonly object?: string
}

/** `community-lab audit` */
export function addAudit(program: Command, context: Context): void {
  leaf(program, 'audit', 'who changed what, from where and by which token (operators)')
    .option('--user <name>', 'what this user changed')
    .addOption(new Option('--kind <kind>', 'what was changed').choices(AuditKind.enum))
    .option('--object <id>', 'the id of what was changed')
    .action(async (options: AuditOptions) => {
      const filters = [
        filter('user_name', options.user),
        filter('kind', options.kind),
        filter('object_id', options.object),
      ].join('')
      const path = `${routes.audit}?per_page=1000${filters}`
      printRows(context, await connectServer(context).list(AuditEntry, path), {
        ...options,
        columns: [
          { title: 'TIME', show: ({ time }) => time },
          { title: 'WHO', show: ({ user_name: name, role }) => name ?? role ?? 'the server' },
          { title: 'TOKEN', show: ({ token_name: name }) => name },
          { title: 'FROM', show: ({ address }) => address ?? 'this machine' },
          { title: 'DID', show: ({ right }) => right },
          {
            title: 'OBJECT',
            show: ({ kind, object_id: id, object_name: name, count }) =>
              [kind, id, name ?? '', count > 1 ? `(${count})` : ''].filter(Boolean).join(' '),
          },
          { title: 'WHICH WAS', show: ({ action }) => action },
        ],
        none: describeNone(options),
      })
    })
}

/** What was asked for: a misspelt name must not read as if somebody had changed nothing. Users and objects that are gone have entries too. */
function describeNone({ user, kind, object }: AuditOptions): string {
  const asked = [
    ...(user === undefined ? [] : [`by a user ${JSON.stringify(user)}`]),
    ...(kind === undefined && object === undefined
      ? []
      : [`of a ${kind ?? 'thing'}${object === undefined ? '' : ` with the id ${object}`}`]),
  ]
  return ['no changes', ...asked].join(' ')
}

function filter(member: string, value: string | undefined): string {
  if (value === undefined) return ''
  return `&/${member}=${encodeURIComponent(JSON.stringify(value))}`
}
