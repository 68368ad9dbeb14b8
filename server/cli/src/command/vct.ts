import {
  LabError,
  path as pathOf,
  vctClockPath,
  VctStatus,
  vctLinkActions,
  vctNodeActions,
  vctServerActions,
} from '@community-lab/contract'
import { Argument, type Command } from 'commander'
import type { Context } from '../context.ts'
import { printJson, printRows, tint, type PrintOptions } from '../output/print.ts'
import { choosePort } from '../process/port.ts'
import { connectControl } from '../testbed/control.ts'
import { runTestbedCommand } from '../testbed/testbed-command.ts'
import { leaf, nodeClock, nodeCount, port, usualPort, type NodeClock } from './option.ts'
import { refuseSecond } from './start.ts'

interface UpOptions extends PrintOptions {
  readonly nodes: number
  /** Undefined: the usual one, or a free one. */
  readonly port?: number
  readonly clock: readonly NodeClock[]
}

/** `community-lab vct …`: the virtual testbed of this checkout. */
export function addVct(program: Command, context: Context): void {
  const vct = program.command('vct').description('the virtual testbed on this machine')
  leaf(vct, 'up', 'start it, and leave it running')
    .option('--nodes <count>', 'how many virtual nodes', nodeCount, 5)
    .option('--port <port>', `the server's port on 127.0.0.1 (${usualPort})`, port)
    .option(
      '--clock <node=seconds>',
      "set a node's clock ahead of this machine's, as soon as it runs; programs in slivers go on to see this machine's clock (repeatable)",
      nodeClock,
      [],
    )
    .action((options: UpOptions) => bringUp(context, options))
  leaf(vct, 'down', 'stop it, wherever it was started').action((options: PrintOptions) =>
    runTestbedCommand(context, ['down'], options).then(() => {
      if (options.json !== true) context.out.write('no virtual testbed runs now\n')
    }),
  )
  leaf(vct, 'status', 'its nodes and links').action(async (options: PrintOptions) => {
    const client = connectControl(context)
    printStatus(context, await client.ask(VctStatus, '/status'), options)
  })
  leaf(vct, 'node <name>', 'cut, stop, start or reboot a virtual node')
    .addArgument(new Argument('<action>', nodeActionsText).choices(vctNodeActions))
    .action((name: string, action: string, options: PrintOptions) =>
      act(context, pathOf('/nodes/{name}/{action}', { name, action }), options),
    )
  leaf(vct, 'clock <name>', "set a virtual node's clock")
    .addArgument(
      new Argument('<ahead>', "seconds ahead of this machine's clock; a step, at once").argParser(
        Number,
      ),
    )
    .option('--drift <ppm>', "how much faster it runs, from the node's next start on", Number, 0)
    .action((name: string, ahead: number, options: PrintOptions & { readonly drift: number }) =>
      act(context, vctClockPath(name, { ahead_s: ahead, drift_ppm: options.drift }), options),
    )
  leaf(vct, 'link <a> <b>', 'cut or restore the link between two nodes')
    .addArgument(
      new Argument('<action>', 'cut: nothing passes; restore: it does again').choices(
        vctLinkActions,
      ),
    )
    .action((a: string, b: string, action: string, options: PrintOptions) =>
      act(context, pathOf('/links/{a}/{b}/{action}', { a, b, action }), options),
    )
  leaf(vct, 'server', "kill, stop or start the testbed's server")
    .addArgument(new Argument('<action>', serverActionsText).choices(vctServerActions))
    .action((action: string, options: PrintOptions) =>
      act(context, pathOf('/server/{action}', { action }), options),
    )
}

const serverActionsText = 'kill: end it at once (SIGKILL); stop: let it end; start: undo either'
const nodeActionsText =
  'stop: power it off; cut: take its links down; start: undo both; reboot: end all on it and bring it back; kill-agent: kill its agent, which comes back'

async function bringUp(context: Context, options: UpOptions): Promise<void> {
  requireNodes(options)
  await refuseSecond(context)
  const serverPort = await choosePort(context, { asked: options.port })
  const args = ['up', '--nodes', String(options.nodes), '--port', String(serverPort)]
  const ready = await runTestbedCommand(context, args, options)
  for (const { node, aheadS } of options.clock)
    await connectControl(context).ask(
      VctStatus,
      vctClockPath(node, { ahead_s: aheadS, drift_ppm: 0 }),
      { method: 'POST' },
    )
  if (options.json === true || ready === null) return
  for (const each of ready.lacks) context.err.write(`note: ${each}\n`)
  context.out.write(
    `the virtual testbed runs: ${ready.url}\nstop it with \`npx community-lab vct down\`\n`,
  )
}

/** Require that there are the nodes whose clocks are to be set. @throws {@link LabError} LAB_VCT_USAGE. */
function requireNodes({ nodes, clock }: UpOptions): void {
  const absent = clock.find(({ node }) => Number(node.slice(1)) > nodes)
  if (absent !== undefined)
    throw new LabError('LAB_VCT_USAGE', {
      problem: `--clock names ${absent.node}, and the nodes are n1 to n${nodes}`,
    })
}

async function act(context: Context, path: string, options: PrintOptions): Promise<void> {
  const client = connectControl(context)
  const status = await client.ask(VctStatus, path, { method: 'POST' })
  printStatus(context, status, options)
}

function printStatus(context: Context, status: VctStatus, options: PrintOptions): void {
  if (options.json === true) {
    printJson(context, status)
    return
  }
  const { out } = context
  const state = tint(out, status.state === 'running' ? 'green' : 'yellow', status.state)
  out.write(`${state}, ${status.mode}, server ${status.server_url ?? 'not reachable'}\n`)
  for (const each of status.lacks) out.write(`note: ${each}\n`)
  out.write('\n')
  printRows(context, status.nodes, {
    columns: [
      { title: 'NODE', show: ({ name }) => name },
      { title: 'POWER', show: ({ power }) => power },
      { title: 'LINKS', show: ({ links }) => links },
      { title: 'CLOCK S', show: ({ clock }) => clock?.ahead_s ?? 0, align: 'right' },
      { title: 'AGENT', show: ({ agent_pid }) => agent_pid, align: 'right' },
      { title: 'COMMUNITY', show: ({ community_addr }) => community_addr },
      { title: 'MANAGEMENT', show: ({ mgmt_addr }) => mgmt_addr },
    ],
    none: 'no nodes',
  })
  out.write('\n')
  printRows(context, status.links, {
    columns: [
      { title: 'LINK', show: ({ a, b }) => `${a} ${b}` },
      { title: 'STATE', show: ({ state: linkState }) => linkState },
      { title: 'MBIT/S', show: ({ rate_mbps }) => rate_mbps, align: 'right' },
      { title: 'DELAY MS', show: ({ delay_ms }) => delay_ms, align: 'right' },
      { title: 'LOSS %', show: ({ loss_pct }) => loss_pct, align: 'right' },
    ],
    none: 'no links',
  })
}
