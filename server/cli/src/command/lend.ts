import {
  InterfaceType,
  LabError,
  lendsAll,
  LentHours,
  NewLentHours,
  Node,
  type Lends,
  type LendsPatch,
  type NodePatch,
} from '@community-lab/contract'
import { InvalidArgumentError, type Command } from 'commander'
import Type from 'typebox'
import { Value } from 'typebox/value'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows } from '../output/print.ts'
import { formatMiB, sizeMiB } from '../output/size.ts'
import { listNodes } from './lists.ts'
import { findNamed } from './name.ts'
import { amount, destroyer, orWord } from './option.ts'

/** A limit; `all`: none. */
type Limit<T> = T | 'all'

interface LendOptions extends ConfirmOptions {
  readonly slivers?: Limit<number>
  readonly memory?: Limit<number>
  readonly disk?: Limit<number>
  readonly processes?: Limit<number>
  readonly cpu?: Limit<number>
  readonly rate?: Limit<number>
  readonly interfaces?: Limit<InterfaceType[]>
  readonly hours?: Limit<string[]>
}

/** Add `lend`, with which owners of a node set what it lends. */
export function addLend(node: Command, context: Context): void {
  destroyer(node, 'lend <name>', 'set what a node lends to all slivers together')
    .option('--slivers <count>', 'how many slivers', orWord('all', amount))
    .option('--memory <size>', 'their memory, such as 512MiB', orWord('all', sizeMiB))
    .option('--disk <size>', 'their disk space, such as 4GiB', orWord('all', sizeMiB))
    .option('--processes <count>', 'how many processes', orWord('all', amount))
    .option('--cpu <percent>', 'CPU in percent of one core, such as 50', orWord('all', amount))
    .option('--rate <mbps>', 'Mbit/s in each direction', orWord('all', rate))
    .option(
      '--interfaces <kinds>',
      'kinds besides management, such as public6, or none',
      orWord('all', kinds),
    )
    .option(
      '--hours <hours>',
      'such as "22:00-06:00" or "mon-fri 22:00-06:00; sat,sun 00:00-24:00"',
      orWord('all', hours),
    )
    .addHelpText('after', lendHelp)
    .action((name: string, options: LendOptions) => lend(context, name, options))
}

const lendHelp = `
What is left out stays as it is; "all" removes a limit. Hours are in the time of the node. Outside of them its slivers stop, keep their files, and start again by
themselves. The settings of the device itself hold besides (COMMUNITY_LAB_AGENT_LENDS…): the smaller one counts. With less memory or CPU than slivers use at
present, they are slowed or lose processes at once; a lower number of slivers or less disk only keeps new ones away.
`

async function lend(context: Context, name: string, options: LendOptions): Promise<void> {
  const wanted = {
    slivers: options.slivers,
    memory_mib: options.memory,
    disk_mib: options.disk,
    processes: options.processes,
    cpu_pct: options.cpu,
    rate_mbps: options.rate,
    interfaces: options.interfaces,
    hours: options.hours,
  }
  const lends: LendsPatch = Object.fromEntries(
    Object.entries(wanted)
      .filter(([, limit]) => limit !== undefined)
      .map(([member, limit]) => [member, limit === 'all' ? null : limit]),
  )
  if (Object.keys(lends).length === 0)
    throw new LabError('LAB_CLI_USAGE', {
      problem: 'say what to lend, such as --memory or --hours',
    })
  const client = connectServer(context)
  const { uri, name: known, slivers } = findNamed('node', await listNodes(client), name)
  if (slivers.length > 0 && ['memory', 'cpu', 'processes', 'hours'].some((one) => one in options))
    await requireYes(context, options, {
      deed: `lending less of node ${known}`,
      costs: `may end programs in its slivers (${slivers.length})`,
      question: 'Set it?',
    })
  const body: NodePatch = { lends }
  const changed = await client.ask(Node, uri, { method: 'PATCH', body })
  if (options.json === true) printJson(context, changed)
  // Its last report is from before the change, and so is what it says of the hours.
  else printLends(context, changed, { withHours: false })
}

/** Print what a node lends: by its registry entry, and by the settings of the device. `withHours`: also whether it is lent now, by its last report. */
export function printLends(
  context: Context,
  { lends = lendsAll, lending }: Node,
  { withHours = true }: { readonly withHours?: boolean } = {},
): void {
  printRows(context, Object.keys(shown) as (keyof Lends)[], {
    columns: [
      { title: 'LENDS', show: (member) => shown[member] },
      { title: 'BY ITS OWNER', show: (member) => format(member, lends), align: 'right' },
      {
        title: 'BY THE DEVICE',
        show: (member) => (lending ? format(member, lending.device) : null),
        align: 'right',
      },
    ],
    none: 'it lends nothing',
  })
  if (withHours && lending?.is_open === false)
    context.out.write(
      `\nnot lent at this hour; ${lending.opens === null ? 'its hours never begin' : `again on ${lending.opens} (${lending.time_zone})`}\n`,
    )
}

const shown = {
  slivers: 'slivers',
  memory_mib: 'memory',
  disk_mib: 'disk',
  processes: 'processes',
  cpu_pct: 'CPU',
  rate_mbps: 'network',
  interfaces: 'interfaces',
  hours: 'hours',
} as const satisfies Record<keyof Lends, string>

function format(member: keyof Lends, lends: Lends): string {
  const value = lends[member]
  if (value === null) return 'all'
  if (typeof value !== 'number') return value.join(member === 'hours' ? '; ' : ', ') || 'none'
  if (member === 'memory_mib' || member === 'disk_mib') return formatMiB(value)
  return `${value}${member === 'cpu_pct' ? ' %' : member === 'rate_mbps' ? ' Mbit/s' : ''}`
}

function rate(text: string): number {
  if (/^\d{1,6}(\.\d{1,3})?$/u.test(text)) return Number(text)
  throw new InvalidArgumentError('it has to be a number of Mbit/s, such as 10 or 2.5.')
}

function kinds(text: string): InterfaceType[] {
  const named = text === 'none' ? [] : text.split(',').map((part) => part.trim())
  if (Value.Check(Type.Array(InterfaceType), named)) return named
  const known = InterfaceType.enum.filter((kind) => kind !== 'management')
  throw new InvalidArgumentError(`it has to be none, or of these: ${known.join(', ')}.`)
}

function hours(text: string): string[] {
  const spans = text.split(';').map((part) => part.trim())
  const wrong = spans.find((span) => !isOf(NewLentHours, span))
  if (wrong === undefined) return spans
  if (isOf(LentHours, wrong))
    throw new InvalidArgumentError(
      `${wrong} ends when it begins: write 00:00-24:00 for all day; --slivers 0 to lend nothing.`,
    )
  throw new InvalidArgumentError(
    'it has to be hours such as "22:00-06:00" or "mon-fri 22:00-06:00".',
  )
}

function isOf(schema: Type.TString, text: string): boolean {
  return Value.Check(schema, text)
}
