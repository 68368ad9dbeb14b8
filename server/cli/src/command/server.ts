import { Server, type ServerPatch } from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { findIsland, islandName } from './island.ts'
import { listServers } from './lists.ts'
import { findNamed } from './name.ts'
import { leaf, viewer } from './option.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab server …` */
export function addServer(program: Command, context: Context): void {
  const server = program.command('server').description('the servers of the testbed')
  viewer(server, 'list', 'all servers').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['server', 'island'],
      print: (inner, { server: servers, island: islands }) =>
        printRows(inner, servers, {
          ...options,
          columns: [
            { title: 'ID', show: ({ id }) => id, align: 'right' },
            { title: 'NAME', show: ({ name }) => name },
            { title: 'ISLAND', show: ({ island }) => islandName(islands, island) },
            { title: 'MANAGEMENT', show: ({ mgmt_net }) => mgmt_net.addr },
            { title: 'API', show: ({ api }) => api[0]?.base_uri ?? null },
          ],
          none: 'no servers',
        }),
    }),
  )
  leaf(server, 'set <name>', 'change a server (operators)')
    .option('--name <name>', 'its new name')
    .option('--description <text>', 'what it is')
    .option('--island <island>', 'the island that it is on; "none": on none')
    .action((name: string, options: SetOptions) => setServer(context, name, options))
}

interface SetOptions extends PrintOptions {
  readonly name?: string
  readonly description?: string
  readonly island?: string
}

async function setServer(context: Context, name: string, options: SetOptions): Promise<void> {
  const client = connectServer(context)
  const { uri } = findNamed('server', await listServers(client), name)
  const body: ServerPatch = {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.island === undefined ? {} : { island: await findIsland(client, options.island) }),
  }
  const changed = await client.ask(Server, uri, { method: 'PATCH', body })
  if (options.json === true) printJson(context, changed)
  else context.out.write(`server ${changed.name} is changed\n`)
}
