import {
  JournalEntry,
  NodeAvailability,
  NodeInterval,
  path as pathOf,
  routes,
  SliverAvailability,
  SliverInterval,
  sliverId,
  type NodeHistoryState,
  type SliverHistoryState,
} from '@community-lab/contract'
import type { Command } from 'commander'
import Type, { type Static } from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { formatDuration } from '../output/duration.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listNodes, listSlices } from './lists.ts'
import { findNamed } from './name.ts'
import { count, leaf, pastTime } from './option.ts'

interface PeriodOptions extends PrintOptions {
  readonly from?: string
  readonly to?: string
}

interface JournalOptions extends PeriodOptions {
  readonly node?: string
  readonly count: number
}

/** `community-lab node history` and `node availability` */
export function addNodeHistory(node: Command, context: Context): void {
  periodLeaf(node, 'history <name>', 'the states that the node was in, and why').action(
    async (name: string, options: PeriodOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('node', await listNodes(client), name)
      const url = within(pathOf(routes.nodeHistory, { id }), options)
      printIntervals(context, await client.list(NodeInterval, url), options)
    },
  )
  periodLeaf(node, 'availability <name>', 'how long the node was in each state').action(
    async (name: string, options: PeriodOptions) => {
      const client = connectServer(context)
      const { id } = findNamed('node', await listNodes(client), name)
      const url = within(pathOf(routes.nodeAvailability, { id }), options)
      const shares = await client.ask(NodeAvailability, url)
      printShares(context, shares, { ...options, serving: 'production' })
    },
  )
}

/** `community-lab slice history`, `slice availability` and `slice journal` */
export function addSliceHistory(slice: Command, context: Context): void {
  periodLeaf(slice, 'history <slice> <node>', 'the states that a sliver was in, and why').action(
    async (sliceName: string, nodeName: string, options: PeriodOptions) => {
      const client = connectServer(context)
      const id = await findSliver(client, sliceName, nodeName)
      const url = within(pathOf(routes.sliverHistory, { id }), options)
      printIntervals(context, await client.list(SliverInterval, url), options)
    },
  )
  periodLeaf(slice, 'availability <slice> <node>', 'how long a sliver was in each state').action(
    async (sliceName: string, nodeName: string, options: PeriodOptions) => {
      const client = connectServer(context)
      const id = await findSliver(client, sliceName, nodeName)
      const url = within(pathOf(routes.sliverAvailability, { id }), options)
      const shares = await client.ask(SliverAvailability, url)
      printShares(context, shares, { ...options, serving: 'started' })
    },
  )
  periodLeaf(
    slice,
    'journal [slice]',
    'which slivers ran where, the newest first; also of slices and nodes that are gone',
  )
    .option('--node <name>', 'what ran on this node')
    .option('--count <number>', 'the most entries, 1 to 1000', count, 100)
    .action((name: string | undefined, options: JournalOptions) =>
      printJournal(context, name, options),
    )
}

async function printJournal(
  context: Context,
  slice: string | undefined,
  options: JournalOptions,
): Promise<void> {
  const query = new URLSearchParams({ per_page: String(options.count) })
  if (slice !== undefined) query.set('/slice_name', JSON.stringify(slice))
  if (options.node !== undefined) query.set('/node_name', JSON.stringify(options.node))
  const url = within(`${routes.journal}?${query.toString()}`, options)
  printRows(context, await connectServer(context).ask(Type.Array(JournalEntry), url), {
    ...options,
    columns: [
      { title: 'FROM', show: ({ from }) => from },
      { title: 'TO', show: ({ to }) => to ?? 'runs' },
      { title: 'SLICE', show: ({ slice_name: name }) => name },
      { title: 'GROUP', show: ({ group_name: name }) => name },
      { title: 'NODE', show: ({ node_name: name }) => name },
      { title: 'SLIVER', show: (entry) => sliverId(entry.slice.id, entry.node.id) },
    ],
    none: `no sliver${slice === undefined ? '' : ` of a slice ${JSON.stringify(slice)}`} ran${options.node === undefined ? '' : ` on a node ${JSON.stringify(options.node)}`} in this period`,
  })
}

function periodLeaf(parent: Command, name: string, description: string): Command {
  return leaf(parent, name, description)
    .option(
      '--from <time>',
      'when the period begins: RFC 3339, a date or an age such as 7d (default: 30 days before its end)',
      readTime,
    )
    .option('--to <time>', 'when it ends (default: now)', readTime)
}

const readTime = (text: string): string => pastTime(text)

/** Add the period to a URL. */
function within(url: string, { from, to }: PeriodOptions): string {
  const query = new URLSearchParams()
  if (from !== undefined) query.set('from', from)
  if (to !== undefined) query.set('to', to)
  return query.size === 0 ? url : `${url}${url.includes('?') ? '&' : '?'}${query.toString()}`
}

/** Find the sliver of a slice on a node. @throws {@link LabError} LAB_CLI_UNKNOWN_NAME. */
async function findSliver(client: Client, sliceName: string, nodeName: string): Promise<string> {
  const slice = findNamed('slice', await listSlices(client), sliceName)
  const nodes = await listNodes(client)
  const own = new Set(slice.slivers.map(({ id }) => id))
  const candidates = nodes.filter(({ id }) => own.has(sliverId(slice.id, id)))
  return sliverId(slice.id, findNamed('node', candidates, nodeName).id)
}

interface Shown {
  readonly from: string
  readonly to: string
  readonly state: NodeHistoryState | SliverHistoryState
  readonly reason: string | null
}

function printIntervals(
  context: Context,
  intervals: readonly Shown[],
  options: PrintOptions,
): void {
  printRows(context, intervals, {
    ...options,
    columns: [
      { title: 'FROM', show: ({ from }) => from },
      { title: 'TO', show: ({ to }) => to },
      { title: 'FOR', show: ({ from, to }) => formatDuration(Date.parse(to) - Date.parse(from)) },
      { title: 'STATE', show: ({ state }) => state },
      { title: 'WHY', show: ({ reason }) => reason },
    ],
    none: 'nothing is known',
  })
}

function printShares(
  context: Context,
  shares: Static<typeof NodeAvailability> | Static<typeof SliverAvailability>,
  options: PrintOptions & { readonly serving: string },
): void {
  if (options.json === true) {
    printJson(context, shares)
    return
  }
  const { availability, from, to, known_s: knownS } = shares
  const share = availability === null ? 'unknown' : `${(availability * 100).toFixed(3)} %`
  const known = `of the ${formatDuration(knownS * 1000)} that are known`
  context.out.write(`${from} to ${to}: ${options.serving} ${share} ${known}\n`)
  printRows<{ readonly state: string; readonly seconds: number }>(context, shares.seconds, {
    columns: [
      { title: 'STATE', show: ({ state }) => state },
      { title: 'SECONDS', show: ({ seconds }) => seconds.toFixed(1), align: 'right' },
    ],
    none: 'nothing is known',
  })
}
