import type { NodeCreate, NodePatch, NodeSetState } from '@community-lab/contract'
import {
  EnrollmentToken,
  Node,
  nodeSetStates,
  path as pathOf,
  routes,
} from '@community-lab/contract'
import { Argument, type Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { formatAgo } from '../output/duration.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { addNodeHistory } from './history.ts'
import { findIsland, islandName } from './island.ts'
import { addLend, printLends } from './lend.ts'
import { listNodes, type Objects } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab node …` */
export function addNode(program: Command, context: Context): void {
  const node = program.command('node').description('the nodes of the testbed')
  viewer(node, 'list', 'all nodes').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['node'],
      print: (inner, { node: nodes }) =>
        printRows(inner, nodes, { ...options, columns: columns(options), none: 'no nodes yet' }),
    }),
  )
  viewer(node, 'show <name>', 'one node, with what it has and what is wrong with it').action(
    (name: string, options: ViewOptions) => {
      const find = ({ node: nodes }: Objects<'node'>) => findNamed('node', nodes, name)
      return showView(context, options, {
        kinds: ['node', 'island'],
        find,
        print(inner, objects) {
          const found = find(objects)
          if (options.json === true) printJson(inner, found)
          else
            showNode(inner, found, { ...options, island: islandName(objects.island, found.island) })
        },
      })
    },
  )
  addLend(node, context)
  destroyer(node, 'set-state <name>', 'set the state that the node is to have')
    .addArgument(new Argument('<state>', setStatesText).choices(setStates))
    .action((name: string, state: NodeSetState, options: ConfirmOptions) =>
      setState(context, { name, state, options }),
    )
  leaf(
    node,
    'set-island <name> <island>',
    'say on which island the node is; "none": on none',
  ).action(async (name: string, island: string, options: PrintOptions) => {
    const client = connectServer(context)
    const { id } = findNamed('node', await listNodes(client), name)
    const body: NodePatch = { island: await findIsland(client, island) }
    const changed = await client.ask(Node, pathOf(routes.node, { id }), { method: 'PATCH', body })
    if (options.json === true) printJson(context, changed)
    else
      context.out.write(
        `node ${changed.name} is on ${island === 'none' ? 'no island' : `island ${island}`}\n`,
      )
  })
  destroyer(
    node,
    'reboot <name>',
    'have a node restart; what runs on it ends, and its slivers come back',
  )
    .addHelpText('after', rebootHelp)
    .action((name: string, options: ConfirmOptions) => rebootNode(context, name, options))
  leaf(node, 'add <name>', 'register a node, so that its device can enrol').action(
    async (name: string, options: PrintOptions) => {
      const client = connectServer(context)
      const body: NodeCreate = { name }
      const made = await client.ask(Node, routes.nodes, { method: 'POST', body })
      if (options.json === true) printJson(context, made)
      else context.out.write(`node ${made.name} is made; next: node enroll-token ${made.name}\n`)
    },
  )
  leaf(
    node,
    'enroll-token <name>',
    'a one-time token with which a device enrols as the node',
  ).action(async (name: string, options: PrintOptions) => {
    const client = connectServer(context)
    const { id } = findNamed('node', await listNodes(client), name)
    const path = pathOf(routes.nodeEnrollmentToken, { id })
    const made = await client.ask(EnrollmentToken, path, { method: 'POST' })
    if (options.json === true) printJson(context, made)
    else {
      context.err.write(`shown this once, good until ${made.expires_on}:\n`)
      context.out.write(`${made.token}\n`)
    }
  })
  destroyer(
    node,
    'revoke <name>',
    "take the node's keys and tokens away; it has to enrol again",
  ).action(async (name: string, options: ConfirmOptions) => {
    const client = connectServer(context)
    const { id, name: known } = findNamed('node', await listNodes(client), name)
    await requireYes(context, options, {
      deed: `revoking node ${known}`,
      costs: 'cuts it off, with the slivers on it, until somebody enrols its device again',
      question: 'Revoke it?',
    })
    await client.do(pathOf(routes.nodeRevoke, { id }), { method: 'POST' })
    if (options.json === true) printJson(context, { node: known, revoked: true })
    else context.out.write(`node ${known} is revoked\n`)
  })
  destroyer(
    node,
    'remove <name>',
    'remove a node for good, with the slivers on it; what they measured stays',
  ).action((name: string, options: ConfirmOptions) => removeNode(context, name, options))
  addNodeHistory(node, context)
}

interface StateWanted {
  readonly name: string
  readonly state: NodeSetState
  readonly options: ConfirmOptions
}

async function setState(context: Context, { name, state, options }: StateWanted): Promise<void> {
  const client = connectServer(context)
  const { id, name: known, slivers } = findNamed('node', await listNodes(client), name)
  if (state !== 'production' && slivers.length > 0)
    await requireYes(context, options, {
      deed: `setting node ${known} to ${state}`,
      costs: `ends what runs in its slivers (${slivers.length})`,
      question: 'Set it?',
    })
  const body: NodePatch = { set_state: state }
  const changed = await client.ask(Node, pathOf(routes.node, { id }), { method: 'PATCH', body })
  if (options.json === true) printJson(context, changed)
  else
    context.out.write(
      `node ${changed.name} is wanted ${changed.set_state}; it is ${changed.state}${whyOf(changed)}\n`,
    )
}

/** Why a node that is wanted in production is not there: what its owner or its device says. */
function whyOf({ set_state: wanted, state, errors }: Node): string {
  if (wanted !== 'production' || state === wanted) return ''
  return errors.map(({ message }) => `: ${message}`.replaceAll(/\p{Cc}/gu, '?')).join('')
}

const rebootHelp = `
Only operators may do it. The node restarts when it hears of it: at once where it is connected, else when it comes back. Files of its slivers stay, except those
in /tmp and /run; programs that run there end.
`

async function rebootNode(context: Context, name: string, options: ConfirmOptions): Promise<void> {
  const client = connectServer(context)
  const { id, name: known, slivers } = findNamed('node', await listNodes(client), name)
  await requireYes(context, options, {
    deed: `restarting node ${known}`,
    costs: `ends what runs in its slivers (${slivers.length})`,
    question: 'Restart it?',
  })
  const asked = await client.ask(Node, pathOf(routes.nodeReboot, { id }), { method: 'POST' })
  if (options.json === true) printJson(context, asked)
  else context.out.write(`node ${asked.name} is to restart; it is ${asked.state}\n`)
}

async function removeNode(context: Context, name: string, options: ConfirmOptions): Promise<void> {
  const client = connectServer(context)
  const { id, name: known, slivers } = findNamed('node', await listNodes(client), name)
  await requireYes(context, options, {
    deed: `removing node ${known}`,
    costs: `removes its slivers (${slivers.length}) and all that is in them, and its keys`,
    question: 'Remove it?',
  })
  await client.do(pathOf(routes.node, { id }), { method: 'DELETE' })
  if (options.json === true) printJson(context, { node: id, removed: true })
  else context.out.write(`node ${known} is removed\n`)
}

/** The states that an operator may set. Only the server sets and ends `debug`. */
const setStates = nodeSetStates.filter((state) => state !== 'debug')
const setStatesText =
  'production: it runs slivers; safe: it stops them and keeps what they wrote; failure: it is out of order'

const columns = (options: ViewOptions) => [
  { title: 'ID', show: ({ id }: Node) => id, align: 'right' as const },
  { title: 'NAME', show: ({ name }: Node) => name },
  {
    title: 'STATE',
    show: ({ state, not_ready: notReady }: Node) => (notReady ? `${state}, not ready` : state),
  },
  { title: 'SLIVERS', show: ({ slivers }: Node) => slivers.length, align: 'right' as const },
  { title: 'FREE MIB', show: (node: Node) => freeMemory(node), align: 'right' as const },
  { title: 'SEEN', show: (node: Node) => formatSeen(node, options) },
  { title: 'MANAGEMENT', show: ({ mgmt_net }: Node) => mgmt_net.addr },
]

/** Format when a node was heard of last. It is no change when a node is heard of again: while changes are shown, only nodes that are away have a time. */
function formatSeen(
  { state, last_seen_on: seen }: Node,
  { watch = false }: Pick<ViewOptions, 'watch'>,
): string | null {
  return watch && state !== 'offline' ? null : formatAgo(seen, Date.now())
}

function freeMemory({ resources }: Node): number | null {
  return resources.find(({ name }) => name === 'memory')?.avail ?? null
}

function showNode(
  context: Context,
  node: Node,
  { island, ...options }: ViewOptions & { readonly island: string | null },
): void {
  const seen = formatSeen(node, options)
  const lines = [
    `${node.name} (${node.id}), ${node.arch}, ${node.state}, wanted: ${node.set_state}`,
    `management ${node.mgmt_net.addr}, public ${node.public_prefix ?? '-'}`,
    ...(island === null ? [] : [`island ${island}`]),
    `software ${node.soft_version ?? '-'}${seen === null ? '' : `, seen ${seen}`}`,
    `slivers ${node.slivers.map(({ id }) => id).join(', ') || 'none'}`,
    ...(node.not_ready
      ? [`not ready since ${node.not_ready.since}: ${node.not_ready.reason}`]
      : []),
    ...(node.capabilities?.lacks ?? []).map((each) => `lacks: ${each}`),
    ...node.errors.map(({ member, message }) => `error: ${member} ${message}`),
  ]
  for (const line of lines) context.out.write(`${line.replaceAll(/\p{Cc}/gu, '?')}\n`)
  context.out.write('\n')
  printRows(context, node.resources, {
    columns: [
      { title: 'RESOURCE', show: ({ name }) => name },
      { title: 'UNIT', show: ({ unit }) => unit },
      { title: 'TOTAL', show: ({ total }) => total, align: 'right' },
      { title: 'FREE', show: ({ avail }) => avail, align: 'right' },
      { title: 'MOST', show: ({ max_req }) => max_req, align: 'right' },
    ],
    none: 'it has not reported what it has',
  })
  context.out.write('\n')
  printLends(context, node)
}
