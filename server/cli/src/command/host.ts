import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  Base,
  Host,
  LabError,
  path as pathOf,
  renderTincFolder,
  routes,
  type HostCreate,
  type TincHub,
} from '@community-lab/contract'
import { ensureTincKey, writeWhole } from '@community-lab/contract/host'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { findIsland, islandName } from './island.ts'
import { listHosts, listServers } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { nameOf } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab host …` */
export function addHost(program: Command, context: Context): void {
  const host = program
    .command('host')
    .description('your own machines in the management network, from which you reach slivers')
  viewer(host, 'list', 'all hosts').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['host', 'user', 'island'],
      print: (inner, { host: hosts, user: users, island: islands }) =>
        printRows(inner, hosts, {
          ...options,
          columns: [
            { title: 'ID', show: ({ id }) => id, align: 'right' },
            { title: 'NAME', show: ({ name }) => name },
            { title: 'OWNER', show: ({ owner }) => nameOf(users, owner) },
            { title: 'ISLAND', show: ({ island }) => islandName(islands, island) },
            { title: 'MANAGEMENT', show: ({ mgmt_net }) => mgmt_net.addr },
          ],
          none: 'no hosts yet',
        }),
    }),
  )
  leaf(host, 'add <name>', 'register this machine, and write its tinc configuration')
    .option('--folder <folder>', 'where to write it; it must be empty (default: ./NAME-tinc)')
    .option('--description <text>', 'which machine it is')
    .option('--island <island>', 'the island that it is on')
    .addHelpText('after', addHelp)
    .action((name: string, options: AddOptions) => registerHost(context, name, options))
  destroyer(host, 'remove <name>', 'let a host join the management network no more').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { id, name: known } = findNamed('host', await listHosts(client), name)
      await requireYes(context, options, {
        deed: `removing host ${known}`,
        costs: 'cuts it off from the management network',
        question: 'Remove it?',
      })
      await client.do(pathOf(routes.host, { id }), { method: 'DELETE' })
      if (options.json === true) printJson(context, { host: id, removed: true })
      else context.out.write(`host ${known} is removed\n`)
    },
  )
}

const addHelp = `
Its key is made in that folder and never leaves this machine. The host may join as long as you are an active user, until you remove it.
tinc 1.0 is the Debian package "tinc".
`

/** The name of a host's interface in the management network, and of its network in /etc/tinc. */
const network = 'community-lab'

interface AddOptions extends PrintOptions {
  readonly folder?: string
  readonly description?: string
  readonly island?: string
}

async function registerHost(context: Context, name: string, options: AddOptions): Promise<void> {
  const client = connectServer(context)
  const folder = resolve(context.cwd, options.folder ?? `${name}-tinc`)
  const island = options.island === undefined ? undefined : await findIsland(client, options.island)
  const { testbed_params: params } = await client.ask(Base, routes.base)
  const hub = await findHub(client)
  const isOurs = await claimFolder(folder)
  try {
    const { pubkey } = await ensureTincKey(folder)
    const body: HostCreate = {
      name,
      tinc: { pubkey },
      ...(options.description === undefined ? {} : { description: options.description }),
      ...(island === undefined ? {} : { island }),
    }
    const made = await client.ask(Host, routes.hosts, { method: 'POST', body })
    await writeFolder(folder, { host: made, pubkey, hub, prefix: params.mgmt_ipv6_prefix })
    const commands = [
      `cp -r ${shellWord(folder)} /etc/tinc/${network}`,
      `tincd -n ${network}`,
      `ping ${hub.mgmtAddr}`,
    ]
    if (options.json === true) printJson(context, { host: made, folder, commands })
    else
      context.out.write(
        `host ${made.name} is registered: ${made.mgmt_net.addr}\nits tinc configuration is in ${folder}; as root, to join:\n${commands.map((each) => `  ${each}\n`).join('')}`,
      )
  } catch (error) {
    // Without this, the next attempt would find a folder that is not empty.
    await rm(join(folder, isOurs ? '' : 'rsa_key.priv'), { recursive: true, force: true })
    throw error
  }
}

/** Write a path as a word of a shell's command line. */
function shellWord(path: string): string {
  return /^[\w./-]+$/u.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
}

/** Make an empty folder, or check that the present one is empty. Returns whether it was made. @throws {@link LabError} LAB_CLI_USAGE. */
async function claimFolder(folder: string): Promise<boolean> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length === 0) return made !== undefined
  const problem = `the folder ${folder} is not empty; give another with --folder`
  throw new LabError('LAB_CLI_USAGE', { problem })
}

interface HostFolder {
  readonly host: Host
  readonly pubkey: string
  readonly hub: TincHub
  readonly prefix: string
}

async function writeFolder(
  folder: string,
  { host, pubkey, hub, prefix }: HostFolder,
): Promise<void> {
  const name = host.tinc.name
  const options = { name, pubkey, prefix, hub, interface: network, device: 'tun' } as const
  for (const { path, text, isProgram } of renderTincFolder(options)) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeWhole(file, text, isProgram ? 0o700 : 0o600)
  }
}

/** Find the server to which hosts connect. @throws {@link LabError} LAB_CLI_NO_HUB. */
async function findHub(client: Client): Promise<TincHub> {
  for (const { tinc, mgmt_net: mgmtNet } of await listServers(client)) {
    const { name, pubkey, addresses } = tinc
    if (pubkey !== null && addresses.length > 0)
      return { name, pubkey, addresses, mgmtAddr: mgmtNet.addr }
  }
  throw new LabError('LAB_CLI_NO_HUB', {})
}
