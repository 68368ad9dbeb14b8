import {
  Island,
  path as pathOf,
  routes,
  type IslandCreate,
  type IslandPatch,
  type Ref,
} from '@community-lab/contract'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson, printRows, type PrintOptions } from '../output/print.ts'
import { listIslands } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer, leaf, viewer } from './option.ts'
import { nameOf } from './people.ts'
import { showView, type ViewOptions } from './view.ts'

/** `community-lab island …` */
export function addIsland(program: Command, context: Context): void {
  const island = program
    .command('island')
    .description('parts of the community network, on which nodes, servers and hosts are')
  viewer(island, 'list', 'all islands').action((options: ViewOptions) =>
    showView(context, options, {
      kinds: ['island'],
      print: (inner, { island: islands }) =>
        printRows(inner, islands, {
          ...options,
          columns: [
            { title: 'ID', show: ({ id }) => id, align: 'right' },
            { title: 'NAME', show: ({ name }) => name },
            { title: 'DESCRIPTION', show: ({ description }) => description },
          ],
          none: 'no islands yet',
        }),
    }),
  )
  leaf(island, 'add <name>', 'make an island (operators)')
    .option('--description <text>', 'which part of the network it is')
    .action(async (name: string, options: IslandOptions) => {
      const { description = '' } = options
      const body: IslandCreate = { name, description }
      const client = connectServer(context)
      const made = await client.ask(Island, routes.islands, { method: 'POST', body })
      if (options.json === true) printJson(context, made)
      else
        context.out.write(`island ${made.name} is made; next: node set-island NODE ${made.name}\n`)
    })
  leaf(island, 'set <name>', 'change an island (operators)')
    .option('--name <name>', 'its new name')
    .option('--description <text>', 'which part of the network it is')
    .action(async (name: string, options: IslandOptions & { readonly name?: string }) => {
      const client = connectServer(context)
      const { uri } = findNamed('island', await listIslands(client), name)
      const { name: newName, description } = options
      const body: IslandPatch = {
        ...(newName === undefined ? {} : { name: newName }),
        ...(description === undefined ? {} : { description }),
      }
      const changed = await client.ask(Island, uri, { method: 'PATCH', body })
      if (options.json === true) printJson(context, changed)
      else context.out.write(`island ${changed.name} is changed\n`)
    })
  destroyer(island, 'remove <name>', 'remove an island (operators)').action(
    async (name: string, options: ConfirmOptions) => {
      const client = connectServer(context)
      const { id, name: known } = findNamed('island', await listIslands(client), name)
      await requireYes(context, options, {
        deed: `removing island ${known}`,
        costs: 'leaves what is on it without an island',
        question: 'Remove it?',
      })
      await client.do(pathOf(routes.island, { id }), { method: 'DELETE' })
      if (options.json === true) printJson(context, { island: id, removed: true })
      else context.out.write(`island ${known} is removed\n`)
    },
  )
}

interface IslandOptions extends PrintOptions {
  readonly description?: string
}

/** Return the reference to an island for a request; `none` is null. @throws {@link LabError} LAB_CLI_UNKNOWN_NAME. */
export async function findIsland(client: Client, name: string): Promise<{ id: number } | null> {
  if (name === 'none') return null
  return { id: findNamed('island', await listIslands(client), name).id }
}

/** Return the name of the island that something is on; null: none. */
export function islandName(islands: readonly Island[], ref: Ref | null): string | null {
  return ref === null ? null : nameOf(islands, ref)
}
