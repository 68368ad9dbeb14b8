import { inspect } from 'node:util'
import {
  JournalEntry as JournalSchema,
  LabError,
  Node as NodeSchema,
  NodeAvailability,
  NodeInterval,
  path,
  routes,
} from '@community-lab/contract'
import Type from 'typebox'
import { abortSignal, checkArgument, checkOptions, date, wholeNumber, words } from '../argument.ts'
import { asTable, type Column, type Shown } from '../display/table.ts'
import { formatTime } from '../display/time.ts'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import type { NodeState } from './node-query.ts'

/** A period of the past. Default: the 30 days before `to`, which is now by default. */
export interface PastOptions {
  readonly from?: Date
  readonly to?: Date
  readonly signal?: AbortSignal
}

/** A time in which a node was in one state. `nodata`: the server was not running, or has no record. */
export interface NodePast {
  readonly state: NodeState | 'nodata'
  readonly from: Date
  readonly to: Date
  /** Why it was in this state, if anybody has told. */
  readonly reason: string | null
}

/** How long a node was in each state within a period. */
export interface Availability {
  readonly from: Date
  readonly to: Date
  /** The share of the known time in which the node was in production, 0 to 1; null when nothing is known. */
  readonly share: number | null
  /** The seconds of the period that the server has a record of. */
  readonly known_s: number
  /** The seconds in each state. All together are the whole period. */
  readonly seconds: Readonly<Record<string, number>>
}

/** Which part of the journal to read. */
export interface JournalOptions extends PastOptions {
  /** The name of a slice, also of one that is gone. */
  readonly slice?: string
  /** The name of a node, also of one that is gone. */
  readonly node?: string
  /** The most entries, 1 to 1000; default 100. */
  readonly count?: number
}

/** A sliver that ran on a node. The entry stays when the sliver, its slice and its node are gone. */
export interface JournalEntry {
  readonly slice: string
  readonly group: string
  readonly node: string
  readonly from: Date
  /** null: it still runs. */
  readonly to: Date | null
}

const pastKinds = { from: date, to: date, signal: abortSignal }
const nodeArgument = 'the name of the node'
const perPage = 1_000

/** Read the states of a node in a period, the oldest first. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readHistory(
  session: Session,
  name: string,
  options: PastOptions,
): Promise<Shown<NodePast>> {
  checkArgument(nodeArgument, name, words)
  checkOptions('history', options, pastKinds)
  const { http, signal: lab } = session
  return call({ lab, signal: options.signal }, async (signal) => {
    const url = path(routes.nodeHistory, { id: await findNode(session, name, signal) })
    const past: NodePast[] = []
    for (let query = periodOf(options); ;) {
      const asked = { ...query, per_page: String(perPage) }
      const part = await http.ask(Type.Array(NodeInterval), url, { query: asked, signal })
      past.push(...part.map(readInterval))
      const last = part.at(-1)
      if (last === undefined || part.length < perPage) return asTable(past, () => pastColumns)
      query = { ...query, from: last.to }
    }
  })
}

/** Read how long a node was in each state. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readAvailability(
  session: Session,
  name: string,
  options: PastOptions,
): Promise<Availability> {
  checkArgument(nodeArgument, name, words)
  checkOptions('availability', options, pastKinds)
  const { http, signal: lab } = session
  return call({ lab, signal: options.signal }, async (signal) => {
    const url = path(routes.nodeAvailability, { id: await findNode(session, name, signal) })
    const query = periodOf(options)
    const { from, to, availability, known_s, seconds } = await http.ask(NodeAvailability, url, {
      query,
      signal,
    })
    const read: Availability = {
      from: new Date(from),
      to: new Date(to),
      share: availability,
      known_s,
      seconds: Object.fromEntries(seconds.map((each) => [each.state, each.seconds])),
    }
    return Object.defineProperty(read, inspect.custom, {
      value: () => describe(name, read),
    })
  })
}

/** Read which slivers ran where, the newest first. */
export async function readJournal(
  session: Session,
  options: JournalOptions,
): Promise<Shown<JournalEntry>> {
  const kinds = { ...pastKinds, slice: words, node: words, count: wholeNumber(1, perPage) }
  checkOptions('journal', options, kinds)
  const { slice, node, count = 100 } = options
  const { http, signal: lab } = session
  return call({ lab, signal: options.signal }, async (signal) => {
    const query = {
      ...periodOf(options),
      per_page: String(count),
      ...(slice === undefined ? {} : { '/slice_name': JSON.stringify(slice) }),
      ...(node === undefined ? {} : { '/node_name': JSON.stringify(node) }),
    }
    const entries = await http.ask(Type.Array(JournalSchema), routes.journal, { query, signal })
    const read = entries.map((entry) => ({
      slice: entry.slice_name,
      group: entry.group_name,
      node: entry.node_name,
      from: new Date(entry.from),
      to: entry.to === null ? null : new Date(entry.to),
    }))
    return asTable(read, () => journalColumns)
  })
}

function readInterval({ state, from, to, reason }: NodeInterval): NodePast {
  return { state, from: new Date(from), to: new Date(to), reason }
}

function periodOf({ from, to }: PastOptions): Record<string, string> {
  return {
    ...(from === undefined ? {} : { from: from.toISOString() }),
    ...(to === undefined ? {} : { to: to.toISOString() }),
  }
}

async function findNode({ http }: Session, name: string, signal: AbortSignal): Promise<number> {
  const query = { '/name': JSON.stringify(name) }
  const [node] = await http.ask(Type.Array(NodeSchema), routes.nodes, { query, signal })
  if (node === undefined) throw new LabError('LAB_NOT_FOUND', { kind: 'node', id: name })
  return node.id
}

function describe(name: string, { from, to, share, known_s: known }: Availability): string {
  const serves = share === null ? 'unknown' : `${(share * 100).toFixed(2)} %`
  return `Availability of ${name}: ${serves} of ${known.toFixed(0)} known seconds (${formatTime(from)} to ${formatTime(to)})`
}

const pastColumns: readonly Column<NodePast>[] = [
  { name: 'state', value: ({ state }) => state },
  { name: 'from', value: ({ from }) => from },
  { name: 'to', value: ({ to }) => to },
  { name: 'why', value: ({ reason }) => reason },
]

const journalColumns: readonly Column<JournalEntry>[] = [
  { name: 'slice', value: ({ slice }) => slice },
  { name: 'group', value: ({ group }) => group },
  { name: 'node', value: ({ node }) => node },
  { name: 'from', value: ({ from }) => from },
  { name: 'to', value: ({ to }) => to ?? 'runs' },
]
