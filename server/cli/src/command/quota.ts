import {
  Group,
  LabError,
  quotaNames,
  quotaUnits,
  type GroupPatch,
  type QuotaName,
  type QuotasPatch,
} from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { formatMiB, sizeMiB } from '../output/size.ts'
import { listGroups } from './lists.ts'
import { findNamed } from './name.ts'
import { amount, leaf, orWord } from './option.ts'

/** An amount; `default`: what the testbed has for groups. */
type Amount = number | 'default'

interface QuotaOptions extends PrintOptions {
  readonly slices?: Amount
  readonly slivers?: Amount
  readonly memory?: Amount
  readonly disk?: Amount
}

/** Add `set-quota`, with which operators set what the slices of a group may take. */
export function addQuota(group: Command, context: Context): void {
  leaf(group, 'set-quota <name>', 'set what the slices of a group may take together (operators)')
    .option('--slices <count>', 'how many slices', orWord('default', amount))
    .option('--slivers <count>', 'how many slivers', orWord('default', amount))
    .option(
      '--memory <size>',
      'the memory of all slivers, such as 64GiB',
      orWord('default', sizeMiB),
    )
    .option(
      '--disk <size>',
      'the disk space of all slivers, such as 128GiB',
      orWord('default', sizeMiB),
    )
    .addHelpText(
      'after',
      '\nWhat is left out stays as it is; "default" sets the testbed’s default again. A lower quota takes nothing away: the group only cannot have more.\n',
    )
    .action(async (name: string, options: QuotaOptions) => {
      const { slices, slivers, memory, disk, ...print } = options
      const wanted = { slices, slivers, memory_mib: memory, disk_mib: disk }
      const quotas: QuotasPatch = Object.fromEntries(
        Object.entries(wanted)
          .filter(([, amount]) => amount !== undefined)
          .map(([name, amount]) => [name, amount === 'default' ? null : amount]),
      )
      if (Object.keys(quotas).length === 0)
        throw new LabError('LAB_CLI_USAGE', {
          problem: 'say what to set: --slices, --slivers, --memory or --disk',
        })
      const client = connectServer(context)
      const { uri } = findNamed('group', await listGroups(client), name)
      const body: GroupPatch = { quotas }
      const changed = await client.ask(Group, uri, { method: 'PATCH', body })
      if (print.json === true) printJson(context, changed)
      else printQuotas(context, changed)
    })
}

/** Print the quotas of a group and what it uses of them. */
export function printQuotas(context: Context, { quotas, usage }: Group): void {
  printRows(context, quotaNames, {
    columns: [
      { title: 'QUOTA', show: (name) => name.replace('_mib', '') },
      { title: 'USED', show: (name) => amountOf(name, usage[name]), align: 'right' },
      { title: 'MOST', show: (name) => amountOf(name, quotas[name]), align: 'right' },
    ],
    none: 'it has no quotas',
  })
}

function amountOf(name: QuotaName, amount: number): string {
  return quotaUnits[name].startsWith('MiB') ? formatMiB(amount) : String(amount)
}
